"""Makes the logs of tests/logs/written, each by the program that writes such logs for its users.

The programs need not be in this project's environments: `python -m benchmarks.log_writers OUT NAME …` makes those that
the Python it runs in has the packages for. Made with keras 3 and tensorboard 2.21 of requirements/, and with lightning
2.6, transformers 5.24, mlflow 3.17, pandas 3.1 and tqdm 4.70. Weights & Biases and Ultralytics are not among them: the
first makes its download on its page, the second needs a detector; their logs in the tests, and MLflow's CSV, have the
columns that are known of them.

The losses are those of a small network on made-up data; the tests hold what is read against the file itself.
"""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

EPOCHS, STEPS = 3, 8


def keras(out: Path) -> None:
    """CSVLogger, history, TensorBoard's callback, and the progress lines as they are in a file."""
    keras, numpy = import_module("keras"), import_module("numpy")
    keras.utils.set_random_seed(0)
    random = numpy.random.default_rng(0)
    x, y = random.normal(size=(STEPS * 4, 3)).astype("f4"), random.integers(0, 2, STEPS * 4)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"])
    callbacks = [
        keras.callbacks.CSVLogger(out / "keras_csv_logger.csv"),
        keras.callbacks.TensorBoard(out / "keras_tensorboard", write_graph=False, update_freq="epoch"),
    ]
    for name, verbose, more in (("keras_progress.txt", 1, callbacks), ("keras_epochs.txt", 2, [])):
        with (out / name).open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
            history = model.fit(
                x, y, batch_size=4, epochs=EPOCHS, validation_split=0.25, verbose=verbose, callbacks=more
            )
    (out / "keras_history.json").write_text(json.dumps(history.history), encoding="utf-8")


def lightning(out: Path) -> None:
    """CSVLogger's metrics.csv, and TensorBoardLogger's folder."""
    lightning, torch = import_module("lightning"), import_module("torch")
    loggers = import_module("lightning.pytorch.loggers")
    lightning.seed_everything(0)

    def training_step(self: Any, batch: Any, _index: int) -> Any:
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self: Any, batch: Any, _index: int) -> None:
        self.log("val_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self: Any) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def init(self: Any) -> None:
        super(made, self).__init__()
        self.layer = torch.nn.Linear(3, 1)

    methods: dict[str, Any] = {"training_step": training_step, "validation_step": validation_step}
    methods |= {"configure_optimizers": configure_optimizers, "__init__": init}
    made: Any = type("Model", (lightning.LightningModule,), methods)
    x = torch.randn(STEPS * 4, 3)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)
    with tempfile.TemporaryDirectory() as folder:
        logger = [loggers.CSVLogger(folder, name="csv"), loggers.TensorBoardLogger(folder, name="tensorboard")]
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        trainer = lightning.Trainer(max_epochs=EPOCHS, logger=logger, log_every_n_steps=2, accelerator="cpu", **quiet)
        trainer.fit(made(), data, data)
        shutil.copy(Path(folder) / "csv/version_0/metrics.csv", out / "lightning_metrics.csv")
        shutil.copytree(Path(folder) / "tensorboard/version_0", out / "lightning_tensorboard", dirs_exist_ok=True)


def transformers(out: Path) -> None:
    """The Trainer's trainer_state.json, and what it prints."""
    torch, transformers = import_module("torch"), import_module("transformers")
    transformers.set_seed(0)
    tiny = {"vocab_size": 11, "n_positions": 8, "n_embd": 8, "n_layer": 1, "n_head": 1}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**tiny))
    tokens = torch.randint(0, 11, (STEPS * 4, 8))
    data = [{"input_ids": row, "labels": row} for row in tokens]
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=4,
            logging_steps=2,
            eval_strategy="epoch",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
        )
        trainer = transformers.Trainer(model, arguments, train_dataset=data, eval_dataset=data[:8])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            trainer.train()
        trainer.state.save_to_json(out / "trainer_state.json")
    (out / "transformers_printed.txt").write_text(printed.getvalue(), encoding="utf-8")


def mlflow(out: Path) -> None:
    """The folder of a run's metrics, as MLflow keeps them in files."""
    mlflow = import_module("mlflow")
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri((Path(folder) / "made").as_uri())
        mlflow.set_experiment("one")
        with mlflow.start_run() as run:
            for step in range(STEPS):
                mlflow.log_metric("loss", 2 / (1 + step), step=step)
                mlflow.log_metric("val/loss", 3 / (1 + step), step=step)
        metrics = next(Path(folder).glob(f"made/*/{run.info.run_id}/metrics"))
        shutil.copytree(metrics, out / "mlflow_run/metrics", dirs_exist_ok=True)


def pandas(out: Path) -> None:
    """A table with its index, and the same as lines of JSON."""
    pandas = import_module("pandas")
    steps = list(range(0, 10 * STEPS, 10))
    table = pandas.DataFrame({"step": steps, "train/loss": [2 / (1 + step) for step in steps], "lr": 0.1})
    table.to_csv(out / "pandas_index.csv")
    table.to_json(out / "pandas_lines.jsonl", orient="records", lines=True)


def tqdm(out: Path) -> None:
    """A progress bar's lines in a file."""
    tqdm = import_module("tqdm").tqdm
    with (out / "tqdm.txt").open("w", encoding="utf-8") as file:
        for epoch in range(1, EPOCHS + 1):
            with tqdm(range(STEPS), desc=f"Epoch {epoch}", file=file, mininterval=0, ncols=100) as bar:
                for step in bar:
                    bar.set_postfix(loss=f"{2 / (epoch + step):.4f}")


def tensorboard(out: Path) -> None:
    """What torch.utils.tensorboard writes."""
    with import_module("torch.utils.tensorboard").SummaryWriter(out / "torch_tensorboard") as writer:
        for step in range(STEPS):
            writer.add_scalar("Loss/train", 2 / (1 + step), step)
            writer.add_scalar("Loss/test", 3 / (1 + step), step)


def numpy(out: Path) -> None:
    """An array of losses."""
    numpy = import_module("numpy")
    numpy.save(out / "losses.npy", (2 / (1 + numpy.arange(STEPS))).astype("f4"))


WRITERS: dict[str, Callable[[Path], None]] = {
    "keras": keras,
    "lightning": lightning,
    "transformers": transformers,
    "mlflow": mlflow,
    "pandas": pandas,
    "tqdm": tqdm,
    "tensorboard": tensorboard,
    "numpy": numpy,
}

if __name__ == "__main__":
    for name in sys.argv[2:]:
        WRITERS[name](Path(sys.argv[1]))
