"""What the columns of a log may be called, and what they mean."""

import re
import unicodedata

# Names as `plain` gives them. Losses of a step come before those that do not say, and these before those of an epoch.
STEP_LOSSES = ("train_loss_step", "loss_step", "batch_loss", "step_loss", "training_loss_step", "train_batch_loss")
LOSSES = (
    "loss",
    "train_loss",
    "value",  # TensorBoard's download calls everything so
    "training_loss",
    "loss_train",
    "loss_training",
    "tr_loss",
    "trn_loss",
    "total_loss",
    "train_total_loss",
    "average_loss",
    "avg_loss",
    "mean_loss",
    "running_loss",
)
EPOCH_LOSSES = ("train_loss_epoch", "loss_epoch", "epoch_loss", "training_loss_epoch", "train_epoch_loss")
EPOCH = "epoch"
STEPS = (
    "step",
    "global_step",
    "iteration",
    "iter",
    "steps",
    "iterations",
    "trainer_global_step",
    "train_global_step",
    "_step",
    "update",
    "updates",
    "num_updates",
)
BATCHES = ("batch", "batch_idx", "it", "mini_batch", "minibatch", "batches", "i")  # a step too, where there is no other
EPOCHS = (EPOCH, "epochs", "ep", "train_epoch", "training_epoch", "val_epoch", "eval_epoch", "test_epoch")
# Neither losses nor measures: clocks, and what numbers the rows.
OTHERS = (
    "",
    "index",
    "time",
    "wall_time",
    "timestamp",
    "_timestamp",
    "_runtime",
    "relative_time_process",
    "elapsed",
    "eta",
    "total_flos",
)
_OF_VALIDATION = ("val", "valid", "validation", "eval", "test", "dev", "evaluation")
_OF_TRAINING = ("train", "training")
_MEANS = ("average", "avg", "mean")
_ACCURACIES = (
    "accuracy",
    "acc",
    "accuracy_top1",
    "top1",
    "acc1",
    "sparse_categorical_accuracy",
    "categorical_accuracy",
    "binary_accuracy",
)
_RATES = ("lr", "learning_rate", "lr_pg0", "train_lr", "train_learning_rate", "epoch_learning_rate", "epoch_lr")
VALIDATION_LOSS, ACCURACY, VALIDATION_ACCURACY, LEARNING_RATE = "val_loss", "accuracy", "val_accuracy", "learning_rate"
MEANINGS = (VALIDATION_LOSS, ACCURACY, VALIDATION_ACCURACY, LEARNING_RATE)


# What Chinese programs print, in the order in which it is looked for.
_IN_CHINESE = (
    (r"第\s*(\d+(?:\s*/\s*\d+)?)\s*(?:轮|个?\s*epoch\b|个?周期)", r" epoch \1 "),
    (r"第\s*(\d+(?:\s*/\s*\d+)?)\s*(?:步|次迭代)", r" step \1 "),
    (r"训练(?:集)?(?:的)?(?:平均)?损失(?:函数)?(?:值)?", " train_loss "),
    (r"(?:验证|测试)(?:集)?(?:的)?(?:平均)?损失(?:函数)?(?:值)?", " val_loss "),
    (r"(?:平均|总)?损失(?:函数)?(?:值)?", " loss "),
    (r"(?:验证|测试)(?:集)?(?:的)?(?:准确率|精度|正确率)", " val_accuracy "),
    (r"(?:训练(?:集)?(?:的)?)?(?:准确率|精度|正确率)", " accuracy "),
    (r"学习率", " learning_rate "),
    (r"(?:训练)?(?:轮次|轮数|周期)", " epoch "),
    (r"步数|步骤|迭代(?:次数)?|(?<![一-鿿])步(?![一-鿿])", " step "),
    (r"(?<=[一-鿿])(?=[A-Za-z])", " "),
)
_CHINESE = re.compile(r"[一-鿿]")


def in_english(text: str) -> str:
    """The words for what is read, where they are Chinese, and the wide punctuation beside them as ASCII's."""
    if text.isascii() or not _CHINESE.search(text):
        return text
    text = unicodedata.normalize("NFKC", text)
    for words, english in _IN_CHINESE:
        text = re.sub(words, english, text)
    return text


def plain(name: str) -> str:
    """Lower case, with one kind of separator, without the run that W&B puts before it: "run - train/Loss"."""
    last = in_english(name).rpartition(" - ")[2].strip().lower()
    return re.sub(r"[\s/.\-]+", "_", last).strip("_") if last != "_step" else last


def rank(name: str) -> int | None:
    """How well a name fits the loss of a run: 0 best; None where it is none."""
    return next((rank for rank, names in enumerate((STEP_LOSSES, LOSSES, EPOCH_LOSSES)) if plain(name) in names), None)


def has_loss(name: str) -> bool:
    """Whether it may be a training loss of its own name, such as ce_loss."""
    words = plain(name).split("_")
    return "loss" in words and not {*words} & {*_OF_VALIDATION, "min", "max", "scale"}


def is_step(name: str) -> bool:
    return plain(name) in STEPS or name.strip() == "_step"


def is_batch(name: str) -> bool:
    return plain(name) in BATCHES


def is_epoch(name: str) -> bool:
    return plain(name) in EPOCHS


# Words of what differs from one run to the next, however equal the two are.
_OF_THE_MACHINE = (
    "runtime time seconds second sec s ms duration speed throughput eta memory mem fps took mfu wall elapsed timestamp "
    "gpu cpu flops flos"
)


def is_measure(name: str) -> bool:
    """Whether it is something that was measured, and no count of rows, steps or seconds."""
    if {*plain(name).split("_")} & {*_OF_THE_MACHINE.split()} or plain(name).endswith("_vs_iterations"):
        return False
    return not (
        is_step(name) or is_batch(name) or is_epoch(name) or plain(name) in OTHERS or plain(name).startswith("unnamed")
    )


def of_validation(name: str) -> bool:
    """Whether it says what was measured and that it was in validation, such as eval_loss."""
    words = plain(name).split("_")
    return len(words) > 1 and bool({*words} & {*_OF_VALIDATION})


def meaning(name: str) -> str:
    """What a measure is called in every log: "val_loss", "accuracy" and the like; else its name in lower case."""
    found = plain(name)
    if found in _RATES or re.fullmatch(r"lr_\w+", found):
        return LEARNING_RATE
    words = [word for word in found.split("_") if word not in ("epoch", "metrics")]
    held_out = bool(words) and (words[0] in _OF_VALIDATION or words[-1] in _OF_VALIDATION)
    rest = "_".join(word for word in words if word not in (*_OF_VALIDATION, *_OF_TRAINING, *_MEANS))
    if rest == "loss" and held_out:
        return VALIDATION_LOSS
    if rest in _ACCURACIES:
        return VALIDATION_ACCURACY if held_out else ACCURACY
    return name.rpartition(" - ")[2].strip().lower()


def is_known(name: str) -> bool:
    """Whether a log of any size is read with this column."""
    return (
        rank(name) is not None
        or has_loss(name)
        or is_step(name)
        or is_batch(name)
        or is_epoch(name)
        or meaning(name) in MEANINGS
    )
