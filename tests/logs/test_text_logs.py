"""Plain text logs, as the loops that many people start from print them."""

import re
from pathlib import Path

import pytest

from shared.logs.formats import text_lines
from shared.logs.sources import read_source
from shared.system import files
from shared.system.errors import InputError


def loss(step):
    return f"{2 / (1 + step):.4f}"


STEPS = range(0, 50, 10)
# A log, the pattern that is told, what the steps count, and the steps.
LOGS = {
    "epochs": (
        "".join(f"Epoch {epoch}/5, Loss: {loss(epoch)}\n" for epoch in (1, 2, 3)),
        "Epoch <epoch>/#, Loss: <Loss>",
        "epoch",
        [1, 2, 3],
    ),
    "Chinese": (
        "开始训练\n"
        + "".join(
            f"第 {epoch}/5 轮\uff0c训练损失\uff1a{loss(epoch)}\uff0c验证损失\uff1a{loss(9)}\n" for epoch in (1, 2, 3)
        ),
        "epoch <epoch>/# , train_loss :<train_loss>, val_loss :<val_loss>",
        "epoch",
        [1, 2, 3],
    ),
    "Chinese, steps, and a name beside a word": (
        "".join(f"第{step}步 当前loss={loss(step)} 准确率=0.5\n" for step in STEPS),
        "step <step> 当前 loss=<loss> accuracy =<accuracy>",
        "step",
        [*STEPS],
    ),
    "bars between": (
        "starting on cpu\n" + "".join(f"step {step} | loss {loss(step)}\n" for step in STEPS),
        "step <step> | loss <loss>",
        "step",
        [*STEPS],
    ),
    "PyTorch's tutorial on CIFAR-10": (
        "Files already downloaded and verified\n"
        + "".join(f"[{e}, {s:5d}] loss: {loss(e)}\n" for e in (1, 2) for s in range(2000, 12001, 2000))
        + "Finished Training\n",
        "[<epoch>, <step>] loss: <loss>",
        "step",
        [*range(2000, 24001, 2000)],
    ),
    "PyTorch's example on MNIST": (
        "".join(
            f"Train Epoch: {e} [{b * 64}/60000 ({b / 9.38:.0f}%)]\tLoss: {loss(b)}\n"
            for e in (1, 2)
            for b in (0, 400, 800)
        )
        + "\nTest set: Average loss: 0.0512, Accuracy: 9830/10000 (98%)\n\n",
        "Train Epoch: <epoch> [<example>/<total of steps> (#%)] Loss: <Loss>",
        None,
        [0, 25600, 51200, 60000, 85600, 111200],
    ),
    "PyTorch's quickstart": (
        "".join(
            f"Epoch {e}\n-----------\n" + "".join(f"loss: {loss(b)}  [{b * 64 + 64:>5d}/60000]\n" for b in (0, 100))
            for e in (1, 2)
        ),
        "loss: <loss> [ <example>/<total of steps>",
        None,
        [64, 6464, 60064, 66464],
    ),
    "PyTorch's example on ImageNet": (
        "".join(
            f"Epoch: [{e}][{b:5d}/5005]\tTime  0.1{b} ( 0.2)\tLoss {loss(b)} (6.9e+00)\tAcc@1   0.{b} (  0.5)\n"
            for e in (0, 1)
            for b in (0, 10, 20)
        ),
        "Epoch: [<epoch>][ <step>/<total of steps>] Time <Time> ( #) Loss <Loss> (#) Acc@# <Acc@#>",
        "step",
        [0, 10, 20, 5005, 5015, 5025],
    ),
    "brackets": (
        "".join(f"Epoch [{e}/5], Step [{b}/600], Loss: {loss(b)}\n" for e in (1, 2) for b in (300, 600)),
        "Epoch [<epoch>/#], Step [<step>/<total of steps>], Loss: <Loss>",
        "step",
        [300, 600, 900, 1200],
    ),
    "nanoGPT": (
        "step 0: train loss 4.2874, val loss 4.2823\n"
        + "".join(f"iter {step}: loss {loss(step)}, time {step + 9.5:.2f}ms, mfu -100.00%\n" for step in STEPS),
        "iter <step>: loss <loss>",
        "step",
        [*STEPS],
    ),
    "llm.c": (
        "".join(
            f"step {s:4d}/74 | loss {loss(s)} (+nanz)| lr 3.00e-04 | {s + 9.5:.2f} ms | 12345 tok/s\n" for s in STEPS
        ),
        "step <step>/<total of steps> | loss <loss> (#z)| lr <lr>",
        "step",
        [*STEPS],
    ),
    "logging": (
        "".join(f"2024-01-01 12:00:0{s // 10},123 - INFO - train: step={s} loss={loss(s)} lr=1.0e-03\n" for s in STEPS),
        "- INFO - train: step=<step> loss=<loss> lr=<lr>",
        "step",
        [*STEPS],
    ),
    "a logger's prefix": (
        "".join(f"INFO:root:epoch {e} train_loss {loss(e)} val_loss 0.5 acc 0.9\n" for e in (1, 2)),
        "INFO:root:epoch <epoch> train_loss <train_loss> val_loss <val_loss> acc <acc>",
        "epoch",
        [1, 2],
    ),
    "tensors": (
        "".join(f"epoch {e} loss tensor({loss(e)}, grad_fn=<NllLossBackward>)\n" for e in (1, 2)),
        "epoch <epoch> loss tensor(<loss>",
        "epoch",
        [1, 2],
    ),
    "Lightning's progress bar": (
        "".join(
            f"\rEpoch {e}: {b * 25:3d}%|{'█' * b}| {b}/4 [00:0{b}<00:01, {9.1 + b}it/s, v_num=0, train_loss={loss(b)}]"
            for e in (0, 1)
            for b in (1, 2, 3, 4)
        ),
        "Epoch <epoch>: #%|█| <step>/<total of steps> [",
        "step",
        [*range(1, 9)],
    ),
    "Keras 2's progress bar": (
        "".join(
            f"Epoch {e}/2\n"
            + "".join(f"{b}/4 [==>..] - ETA: 0s - loss: {9 - b}.0 - accuracy: 0.5" + "\b" * 60 for b in (1, 2, 3))
            + f"4/4 [======] - 1s 2ms/step - loss: {loss(e)} - accuracy: 0.9 - val_loss: 0.3\n"
            for e in (1, 2)
        ),
        "<step>/<total of steps> [==>..] - ETA: #s - loss: <loss>",
        "epoch",
        [1, 2],
    ),
    "Keras's guide to a training loop": (
        "".join(
            f"\nStart of epoch {e}\n"
            + "".join(
                f"Training loss (for 1 batch) at step {s}: {loss(s)}\nSeen so far: {s * 64 + 64} samples\n"
                for s in (0, 200)
            )
            for e in (0, 1)
        ),
        "Training loss (for # batch) at step <step>: <loss>",
        "step",
        [0, 200, 400, 600],
    ),
    "lines of a validation between": (
        "".join(f"train epoch: {e}, loss: {loss(e)}, acc: 0.5\neval epoch: {e}, loss: 7.5, acc: 0.5\n" for e in (1, 2)),
        "train epoch: <epoch>, loss: <loss>, acc: <acc>",
        "epoch",
        [1, 2],
    ),
    "tables of words": (
        "epoch train_loss valid_loss time\n0     0.8754  0.3062  00:05 \n1   0.4754  0.2   00:05\n",
        "",
        "epoch",
        [0, 1],
    ),
}


def read(folder, text, column=None):
    (folder / "log").write_text(text, encoding="utf-8", newline="")
    return read_source(folder / (f"log:{column}" if column else "log")).log


def refused(folder, text, message):
    with pytest.raises(InputError) as error:
        read(folder, text)
    assert message in str(error.value), str(error.value)
    assert "; " in str(error.value)


@pytest.mark.parametrize("name", LOGS)
def test_the_lines_of_usual_loops_are_read_and_their_pattern_told(tmp_path, name):
    text, pattern, counts, steps = LOGS[name]
    log = read(tmp_path, text)
    assert (log.steps.tolist(), log.counts) == (steps, counts)
    written = {float(word) for word in re.split(r"[\s,=()\]\uff0c\uff1a]+", text) if is_number(word)}
    assert {*log.losses.tolist()} <= written
    assert len(log.losses) == len(steps)
    assert pattern in "".join(log.notes)


def same(a, b):
    assert (a.steps.tolist(), a.losses.tolist(), a.resolution.tolist()) == (
        b.steps.tolist(),
        b.losses.tolist(),
        b.resolution.tolist(),
    )
    assert (a.form, a.counts, a.taken, a.notes, {*a.series}) == (b.form, b.counts, b.taken, b.notes, {*b.series})
    for name, series in a.series.items():
        assert series.steps.tolist() == b.series[name].steps.tolist()
        assert series.values.tolist() == b.series[name].values.tolist()


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_the_same_in_however_small_blocks_it_is_read(tmp_path, monkeypatch, name):
    whole = read(tmp_path, LOGS[name][0])
    for size in (1, 100):
        monkeypatch.setattr(files, "BLOCK", size)
        same(read(tmp_path, LOGS[name][0]), whole)


def test_lines_that_are_read_at_once_are_read_as_one_by_one(tmp_path, monkeypatch):
    text = "".join(
        f"Epoch {epoch}\n" + "".join(f"  step {step}/40 | loss {loss(step)} | lr 0.1\n" for step in range(40))
        for epoch in (1, 2, 3)
    )
    whole = read(tmp_path, text)
    at_once = []
    found = text_lines._Reader._at_once

    def noted(*given):
        cells = found(*given)
        at_once.append(cells is not None)
        return cells

    monkeypatch.setattr(text_lines._Reader, "_at_once", noted)
    monkeypatch.setattr(files, "BLOCK", 300)
    same(read(tmp_path, text), whole)
    assert sum(at_once) > 3
    refused(tmp_path, text + "  step 3/40 | loss oops\n  step 39/40 | loss 1 | lr 0.1\n", "line 125: step ")


def is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True


def test_what_counts_examples_says_so(tmp_path):
    assert "Its steps count examples." in read(tmp_path, LOGS["PyTorch's quickstart"][0]).notes


def test_a_line_of_another_kind_among_many_is_read_too(tmp_path):
    lines = [f"step {step} | loss {loss(step)}\n" for step in range(100)]
    lines[60] = "WARNING: step 60 | loss 7.5\n"
    log = read(tmp_path, "".join(lines))
    assert (log.steps.tolist(), log.losses[60]) == ([*range(100)], 7.5)
    assert "99 lines are read as 'step <step> | loss <loss>', 1 in other ways." in log.notes


def test_no_loss_is_passed_over_however_many_other_lines_come_first(tmp_path, monkeypatch):
    monkeypatch.setattr(text_lines, "MOST_UNREAD", 10)
    monkeypatch.setattr(text_lines, "MOST_PATTERNS", 3)
    lines = ["step 0 loss 1.5\n", *(f"file{'x' * n} {n} of 99\n" for n in range(40))]
    log = read(tmp_path, "".join([*lines, *(f"step {n} loss{' ' * n}: 0.5 {'y' * n}\n" for n in range(1, 9))]))
    assert log.steps.tolist() == [*range(9)]


def test_a_loss_that_is_not_finite_is_read(tmp_path):
    log = read(tmp_path, "step 0 loss 0.5\nstep 1 loss nan\nstep 2 loss inf\n")
    assert [str(value) for value in log.losses] == ["0.5", "nan", "inf"]


def test_the_loss_of_an_epoch_among_those_of_steps_is_no_loss_of_a_step(tmp_path):
    log = read(
        tmp_path, "".join(f"epoch {e} step {s} loss 0.{s}\n" for e in (1,) for s in (1, 2)) + "Epoch 1 loss 0.15\n"
    )
    assert (log.steps.tolist(), log.losses.tolist()) == ([1, 2], [0.1, 0.2])


def test_two_losses_in_a_line_are_refused_with_the_way_to_choose(tmp_path):
    text = "".join(f"[{e}/5][{b}/9]\tLoss_D: 0.5\tLoss_G: 4.{b}\n" for e in (0, 1) for b in (0, 1))
    refused(tmp_path, text, "but 'epoch', 'step', 'Loss_D', 'Loss_G'; rename the one with losses, or choose it, as in ")
    assert read(tmp_path, text, "Loss_G").losses.tolist() == [4.0, 4.1, 4.0, 4.1]


def test_a_line_of_a_validation_has_its_loss(tmp_path):
    series = read(tmp_path, LOGS["lines of a validation between"][0]).series
    assert {name: column.values.tolist() for name, column in series.items()} == {
        "val_loss": [7.5, 7.5],
        "accuracy": [0.5, 0.5],
        "val_accuracy": [0.5, 0.5],
    }


def test_a_log_that_was_started_again_is_refused_with_the_line(tmp_path):
    refused(
        tmp_path, "step 0 loss 1\nstep 1 loss 1\nstep 0 loss 1\n", "line 3: step 0 comes after step 1; keep the log"
    )


def test_only_whole_epochs_of_keras_are_read_and_running_means_where_there_is_none(tmp_path):
    line = "{}/4 [==>..] - ETA: 0s - loss: {} - accuracy: 0.5\n"
    whole = "Epoch 1/2\n" + line.format(4, 0.5) + "Epoch 2/2\n" + line.format(2, 0.25)
    log = read(tmp_path, whole)
    assert (log.steps.tolist(), log.losses.tolist(), log.taken) == ([1], [0.5], "epoch")
    log = read(tmp_path, "Epoch 1/2\n" + line.format(1, 0.5) + line.format(2, 0.25))
    assert (log.steps.tolist(), log.losses.tolist(), log.taken) == ([1, 2], [0.5, 0.25], "running mean")


@pytest.mark.parametrize(
    "line", ["x " * 900, "1 " * 900, "loss" * 400, "loss: " * 300, "[1/" * 600, "1/2 [" * 300, "a: 1, " * 300]
)
def test_no_line_takes_long(tmp_path, line):
    assert read(tmp_path, "step 0 loss 1\n" + f"{line}\n" * 300 + "step 1 loss 0.5\n").steps.tolist()[0] == 0
    assert Path(tmp_path / "log").exists()
