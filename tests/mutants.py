"""The tests' own test: `make mutants` breaks the programs in one place at a time, and a named test must notice.

Each mutant is a textual change to a copy of the repository. It is killed when the test named beside it fails there,
having passed on an unchanged copy. A change that no longer applies, and a test that can't run, are errors.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from shared.comparing.processes import find_interpreter
from shared.system.paths import ROOT

IMPLEMENTATION = "tests/implementations/test_implementation.py::test_"
PYTHONS = {name: find_interpreter(name, None) for name in ("PyTorch", "TensorFlow")}


class Mutant(NamedTuple):
    """`old`, which stands once or more in `file`, becomes `new`; `killer` must notice."""

    what: str
    file: str
    old: str
    new: str
    killer: str


def twins(what: str, file: str, pytorch: tuple[str, str], tensorflow: tuple[str, str], killer: str) -> list[Mutant]:
    """The same mistake in both implementations."""
    return [
        Mutant(f"{what} (PyTorch)", f"pytorch_impl/{file}", *pytorch, IMPLEMENTATION + killer),
        Mutant(f"{what} (TensorFlow)", f"tensorflow_impl/{file}", *tensorflow, IMPLEMENTATION + killer),
    ]


PAGE = "tests/reporting/test_page.py::test_"
TERMINAL = "tests/reporting/test_terminal.py::test_"
NAMES = "tests/system/test_escaping.py::test_"
IS_TEXT = "a_name_is_text_and_nothing_else_wherever_it_stands"
NO_FILE = "tests/test_properties.py::test_what_is_no_file_to_read_is_refused_at_once"
UPDATES = "updates_as_the_reference_does"
BY_HAND = "tests/reference/test_optimizers.py::test_"
TRAINS = "trains_as_the_reference_does_short_last_batch_included"
LOSS_IS = "loss_is_the_mean_cross_entropy_before_the_update"
PIXELS = "normalises_all_256_pixel_values_to_the_same_bits"
COMPUTES = "computes_the_references_activations_logits_loss_and_gradients"
WEIGHTS = "weights_go_in_and_come_out_as_the_same_bits"
PREDICTS = "predicts_all_test_images_as_the_reference_does"
READS = "its_own_loader_delivers_the_canonical_arrays"
TORCH_LOSS = "loss = F.cross_entropy(model(inputs), labels)"
KERAS_LOSS = "loss = cross_entropy(model, model(inputs), labels)"
EMPTY = "    losses = []\n"
KERAS_BATCH = "*(tf.gather(tensor, index) for tensor in dataset)"
TORCH_BATCH = "*(tensor.index_select(0, index) for tensor in dataset)"

MUTANTS = [
    # The update.
    *twins("rate off by 1 %", "optimizers.py", *[("spec.learning_rate", "1.01 * spec.learning_rate")] * 2, TRAINS),
    *twins("a little momentum", "optimizers.py", ("(weights, rate, weight_decay", "(weights, rate, 0.01, weight_decay"),
           ("optimizer = SGD(spec)", "optimizer = SGD(spec, momentum=0.01)"), TRAINS),
    *twins("a little weight decay", "optimizers.py", *[("spec.weight_decay", "1e-4 + spec.weight_decay")] * 2, TRAINS),
    *twins("gradient of one layer zeroed", "train.py",
           ("    optimizer.step()", "    model.fc2.weight.grad.zero_()\n    optimizer.step()"),
           ("    optimizer.apply(gradients,", "    gradients[2] *= 0\n    optimizer.apply(gradients,"), TRAINS),
    Mutant("gradients add up (PyTorch)", "pytorch_impl/train.py", "    optimizer.zero_grad()\n", "",
           IMPLEMENTATION + TRAINS),
    Mutant("rate left in float32 (TensorFlow)", "tensorflow_impl/optimizers.py",
           "keras.config.set_floatx(spec.dtype)", 'keras.config.set_floatx("float32")', IMPLEMENTATION + TRAINS),
    # The optimizers.
    Mutant("epsilon before the bias correction (TensorFlow)", "tensorflow_impl/optimizers.py",
           "root = ops.sqrt(square) /", "root = (ops.sqrt(square) + self.epsilon) /", IMPLEMENTATION + UPDATES),
    Mutant("epsilon under RMSprop's root (TensorFlow)", "tensorflow_impl/optimizers.py",
           "(ops.sqrt(square) + self.epsilon)", "ops.sqrt(square + self.epsilon)", IMPLEMENTATION + UPDATES),
    Mutant("epsilon under Adagrad's root (TensorFlow)", "tensorflow_impl/optimizers.py",
           "(ops.sqrt(total) + self.epsilon)", "ops.sqrt(total + self.epsilon)", IMPLEMENTATION + UPDATES),
    *[Mutant(f"epsilon under the root of {name} (reference)", "shared/reference/optimizers.py",
             f"np.sqrt({root}) + {name}_EPSILON", f"np.sqrt({root} + {name}_EPSILON)",
             f"{BY_HAND}epsilon_is_added_to_the_root_of_the_corrected_mean")
      for name, root in (("ADAM", "square"), ("RMSPROP", "kept.square"), ("ADAGRAD", "kept.square"))],
    *twins("Keras's epsilon, 1e-7", "optimizers.py", ("ADAM_EPSILON, ", "1e-7, "), ("=ADAM_EPSILON", "=1e-7"), UPDATES),
    Mutant("bias correction off by one (TensorFlow)", "tensorflow_impl/optimizers.py", "self.iterations + 1",
           "self.iterations + 2", IMPLEMENTATION + UPDATES),
    Mutant("bias correction off by one (reference)", "shared/reference/optimizers.py", "self._kept[name], self._steps)",
           "self._kept[name], self._steps + 1)", f"{BY_HAND}two_steps_by_hand"),
    *twins("decay decoupled in Adam too", "optimizers.py",
           ('torch.optim.AdamW if spec.optimizer == "adamw" else torch.optim.Adam', "torch.optim.AdamW"),
           ('AdamW if spec.optimizer == "adamw" else Adam', "AdamW"), UPDATES),
    *twins("decay coupled in AdamW too", "optimizers.py",
           ('torch.optim.AdamW if spec.optimizer == "adamw" else torch.optim.Adam', "torch.optim.Adam"),
           ('spec.optimizer != "adamw"', "True"), UPDATES),
    *[Mutant(f"decay {way} (reference)", "shared/reference/optimizers.py",
             'if decay and spec.optimizer == "adamw"', f"if decay and {new}",
             f"{BY_HAND}decay_goes_through_the_rule_but_in_adamw")
      for way, new in (("decoupled in all", "True"), ("coupled in AdamW too", "False"))],
    *twins("each tensor clipped by itself", "optimizers.py",
           ("torch.nn.utils.clip_grad_norm_(model.parameters(), spec.clip_norm)",
            "[torch.nn.utils.clip_grad_norm_([p], spec.clip_norm) for p in model.parameters()]"),
           ("[shrinking * gradient for gradient in grads]", "[tf.clip_by_norm(g, self.clip_norm) for g in grads]"),
           UPDATES),
    Mutant("each tensor clipped by itself (reference)", "shared/reference/optimizers.py", "shrinking * gradient for name",
           "gradient * np.minimum(spec.clip_norm / np.linalg.norm(gradient), 1) for name",
           f"{BY_HAND}all_gradients_are_clipped_by_their_norm_together"),
    Mutant("clipped by the norm alone (TensorFlow)", "tensorflow_impl/optimizers.py", " + CLIP_EPSILON)", ")",
           IMPLEMENTATION + UPDATES),
    Mutant("clipped by the norm alone (reference)", "shared/reference/optimizers.py", " + CLIP_EPSILON)", ")",
           f"{BY_HAND}all_gradients_are_clipped_by_their_norm_together"),
    Mutant("rate folded into the velocity (TensorFlow)", "tensorflow_impl/optimizers.py",
           "self.momentum * buffer + gradient)\n"
           "        direction = gradient + self.momentum * buffer if self.nesterov else buffer\n"
           "        self.assign_sub(variable, learning_rate * direction)",
           "self.momentum * buffer + learning_rate * gradient)\n"
           "        direction = learning_rate * gradient + self.momentum * buffer if self.nesterov else buffer\n"
           "        self.assign_sub(variable, direction)", IMPLEMENTATION + UPDATES),
    Mutant("a constant through float32 (TensorFlow)", "tensorflow_impl/optimizers.py", "self.rho * square",
           "tf.cast(self.rho, variable.dtype) * square", IMPLEMENTATION + UPDATES),
    *twins("schedule off by one step", "optimizers.py",
           *[("factor(spec, step)", "factor(spec, step + 1)")] * 2, UPDATES),
    Mutant("schedule off by one step (reference)", "shared/reference/optimizers.py", "factor(spec, self._steps)",
           "factor(spec, self._steps + 1)", f"{BY_HAND}a_change_of_rate_counts_for_the_whole_buffer"),
    Mutant("the rate falls a step late (schedule)", "shared/running/schedule.py", "step >= share", "step > share",
           f"{BY_HAND}schedules_by_hand"),
    Mutant("the fast engine takes plain SGD for Adam (PyTorch)", "shared/engines.py", "!= getattr(Spec(), name)",
           "is None", f"{IMPLEMENTATION}an_update_that_pytorchs_fast_engine_lacks_is_refused_before_training"),
    # The loss.
    *twins("softmax applied twice", "train.py", (TORCH_LOSS, TORCH_LOSS.replace("inputs)", "inputs).softmax(1)")),
           (KERAS_LOSS, KERAS_LOSS.replace("model(inputs)", "tf.nn.softmax(model(inputs))")), LOSS_IS),
    *twins("loss summed, not averaged", "train.py",
           (TORCH_LOSS, TORCH_LOSS.replace("labels)", 'labels, reduction="sum")')),
           ("tf.reduce_mean", "tf.reduce_sum"), LOSS_IS),
    Mutant("labels smoothed by a millionth (PyTorch)", "pytorch_impl/train.py", TORCH_LOSS,
           TORCH_LOSS.replace("labels)", "labels, label_smoothing=1e-6)"), IMPLEMENTATION + LOSS_IS),
    Mutant("logits taken for probabilities (TensorFlow)", "tensorflow_impl/train.py", "from_logits=True",
           "from_logits=False", IMPLEMENTATION + LOSS_IS),
    *twins("one loss altered by a millionth", "train.py",
           ("return torch.stack(losses)", "losses[0] += 1e-6\n    return torch.stack(losses)"),
           ("return tf.stack(losses)", "losses[0] += 1e-6\n    return tf.stack(losses)"), TRAINS),
    # The batches.
    *twins("labels shifted by one", "train.py",
           (TORCH_BATCH, "dataset.inputs[index], (dataset.labels[index] + 1) % 10"),
           (KERAS_BATCH, "tf.gather(dataset.inputs, index), (tf.gather(dataset.labels, index) + 1) % 10"), TRAINS),
    *twins("last batch dropped", "train.py", *[(EMPTY, f"{EMPTY}    batches = batches[:-1]\n")] * 2, TRAINS),
    *twins("last batch taken twice", "train.py", *[(EMPTY, f"{EMPTY}    batches = [*batches, batches[-1]]\n")] * 2,
           TRAINS),
    # The fast engines.
    Mutant("fast: rate off by 1 % (PyTorch)", "pytorch_impl/fast.py", 'param_groups[0]["lr"]',
           'param_groups[0]["lr"] * 1.01', IMPLEMENTATION + TRAINS),
    Mutant("fast: the steps that fill no call are lost (PyTorch)", "pytorch_impl/fast.py",
           "group[compiled_for:], advance", "group[compiled_for + 1 :], advance", IMPLEMENTATION + TRAINS),
    Mutant("fast: a call's batches in another order (PyTorch)", "pytorch_impl/fast.py", "for index in batches:",
           "for index in batches.flip(0):", IMPLEMENTATION + TRAINS),
    Mutant("fast: one step too few (TensorFlow)", "tensorflow_impl/fast.py", "while step < count:",
           "while step < count - 1:", IMPLEMENTATION + TRAINS),
    Mutant("fast: every loss in the first place (TensorFlow)", "tensorflow_impl/fast.py", "losses, [[step]]",
           "losses, [[0]]", IMPLEMENTATION + TRAINS),
    Mutant("--engine is not heeded", "shared/running/runner.py", 'self.fast if name == "fast" else self.train', "self.train",
           "tests/running/test_runner.py::test_an_engine_is_the_one_asked_for_or_the_frameworks_own_choice"),
    # The stock runs and their explanation.
    Mutant("Keras's kernels by PyTorch's rule (TensorFlow)", "tensorflow_impl/stock.py",
           '"glorot_uniform" if "kernels"', '"glorot_uniform" if "order"',
           "tests/implementations/test_stock.py::test_keras_without_its_habits_starts_as_pytorch_does"),
    Mutant("stock images keep their pixels (PyTorch)", "pytorch_impl/stock.py", "transforms.Normalize((MEAN,), (STD,))",
           "transforms.Normalize((0,), (1,))", "tests/implementations/test_stock.py::test_images_are_normalised_as_the_spec_says"),
    Mutant("the pair keeps Keras's defaults on both sides", "shared/spec.py",
           'self.keras_defaults if framework == "TensorFlow" else ()', "self.keras_defaults",
           "tests/running/test_runner.py::test_keras_habits_are_tensorflows_alone"),
    Mutant("what was taken out is counted as put in", "shared/studies/attribution.py",
           'removed = stock - over_seeds(f"stock without {factor.default}")', "removed = added",
           "tests/studies/test_attribution.py::test_an_interaction_is_shared_between_put_in_and_taken_out"),
    Mutant("an interval for twice the seeds", "shared/studies/attribution.py",
           "/ np.sqrt(count)", "/ np.sqrt(2 * count)",
           "tests/studies/test_attribution.py::test_interval_is_students"),
    Mutant("perturbed from where the frameworks start without Keras's defaults", "shared/comparing/runs.py",
           "initial_weights(own, own.defaults_of(variant.framework))", "initial_weights(own)",
           "tests/comparing/test_runs.py::test_a_perturbed_run_starts_one_unit_from_where_its_framework_does"),
    # What is kept.
    Mutant("a repeat is fetched, not made", "shared/comparing/runs.py",
           "for variant in references if not variant.repeated",
           "for variant in references", "tests/comparing/test_store.py::test_a_repeat_is_always_made"),
    Mutant("a kept run is of any spec", "shared/comparing/store.py", 'spec.model_dump(mode="json")', "{}",
           "tests/comparing/test_store.py::test_keys_differ_with_all_that_a_run_depends_on"),
    # The model.
    *twins("biases start at zero", "model.py",
           ("torch.from_numpy(values)", 'torch.from_numpy(values * (not name.endswith("bias")))'),
           ("model.set_weights([_transpose_kernel(name, values)",
            'model.set_weights([_transpose_kernel(name, values) * (not name.endswith("bias"))'), WEIGHTS),
    *twins("a leak below zero", "model.py", ("F.relu(self.fc1", "F.leaky_relu(self.fc1"),
           ("tf.nn.relu(self.fc1", "tf.nn.leaky_relu(self.fc1"), COMPUTES),
    *twins("float32 smuggled into the forward pass", "model.py",
           ("F.relu(self.fc1(inputs))", "F.relu(self.fc1(inputs).float()).to(inputs.dtype)"),
           ("tf.nn.relu(self.fc1(inputs))", "tf.cast(tf.nn.relu(tf.cast(self.fc1(inputs), tf.float32)), inputs.dtype)"),
           COMPUTES),
    Mutant("a transpose missing where the shape allows it (TensorFlow)", "tensorflow_impl/model.py",
           "model.set_weights([_transpose_kernel(name, values) for",
           "model.set_weights([values if values.shape == values.T.shape else _transpose_kernel(name, values) for",
           IMPLEMENTATION + WEIGHTS),
    Mutant("one logit is not a number (PyTorch)", "pytorch_impl/train.py", "return model(inputs).cpu().numpy()",
           'logits = model(inputs).cpu().numpy()\n    logits[77, 7] = float("nan")\n    return logits',
           IMPLEMENTATION + PREDICTS),
    # The data.
    *twins("mean 0.4999", "data.py", ("v2.Normalize([MEAN]", "v2.Normalize([MEAN - 1e-4]"),
           ("mean=MEAN", "mean=MEAN - 1e-4"), PIXELS),
    Mutant("divided by 255 as ToTensor does (PyTorch)", "pytorch_impl/data.py",
           "v2.ToDtype(getattr(torch, spec.dtype), scale=True)",
           "v2.Lambda(lambda x: x.to(getattr(torch, spec.dtype)) / 255)", IMPLEMENTATION + PIXELS),
    Mutant("Keras's own Rescaling (TensorFlow)", "tensorflow_impl/data.py",
           "tf.image.convert_image_dtype(examples.images[block], spec.dtype)",
           "keras.layers.Rescaling(1 / 255, dtype=spec.dtype)(examples.images[block])", IMPLEMENTATION + PIXELS),
    *twins("test set in training", "data.py", ('train=split == "train"', "train=False"),
           ("split=split", 'split="test"'), READS),
    *twins("the loader's own order", "data.py",
           ("canonical(mnist.data.numpy(), mnist.targets.numpy())",
            "Examples(mnist.data.numpy().reshape(-1, PIXELS), mnist.targets.numpy())"),
           ('canonical(mnist["image"].numpy(), mnist["label"].numpy())',
            'Examples(mnist["image"].numpy().reshape(-1, 784), mnist["label"].numpy())'), READS),
    # What is shared.
    Mutant("shuffling off by one epoch", "shared/running/runner.py", "epoch_order(spec.seed, epoch, draw)",
           "epoch_order(spec.seed, epoch + 1, draw)", "tests/running/test_runner.py::test_records_the_order_it_used"),
    Mutant("the same order in every epoch", "shared/running/runner.py", "epoch_order(spec.seed, epoch, draw)",
           "epoch_order(spec.seed, 0, draw)", "tests/running/test_runner.py::test_takes_every_step_of_every_epoch_in_order"),
    Mutant("the epoch's loss averaged by examples", "shared/running/runner.py",
           "train_loss=metrics.mean_of_batch_means(losses)",
           "train_loss=metrics.mean_per_example(losses, [len(b) for b in epoch_batches])",
           "tests/running/test_runner.py::test_evaluates_after_each_epoch_at_fixed_weights"),
    Mutant("argmax over the wrong axis", "shared/metrics.py", "argmax(axis=1)", "argmax(axis=0)",
           "tests/shared/test_metrics.py"),
    Mutant("the ReLU passes a gradient at zero", "shared/reference/reference.py", "(outputs[depth - 1] > 0)",
           "(outputs[depth - 1] >= 0)", "tests/reference/test_reference.py::test_a_relu_passes_no_gradient_at_zero"),
    # The verdict.
    Mutant("mean difference, not the largest", "shared/comparing/checks.py", "b.astype(np.float64)).max())",
           "b.astype(np.float64)).mean())", "tests/comparing/test_checks.py::test_difference_by_hand"),
    Mutant("a NaN on one side or both is forgiven", "shared/comparing/checks.py",
           "reasons = [reason for run in everyone for reason in not_finite(run)]", "reasons = []",
           "tests/comparing/test_checks.py::test_a_number_that_is_not_one_is_never_a_match"),
    Mutant("the floor measured on the frameworks", "shared/comparing/checks.py",
           "floor = noise_floor(reference, rounding)",
           "floor = noise_floor(reference, [*rounding, *runs])",
           "tests/comparing/test_checks.py::test_a_wrong_framework_cannot_widen_the_floor"),
    Mutant("different specs compared", "shared/comparing/checks.py", "if name not in but and", "if False and",
           "tests/comparing/test_checks.py::test_unequal_inputs_are_named_before_anything_is_compared"),
    Mutant("a missing step goes unnoticed", "shared/comparing/checks.py",
           "if len(a.step_losses) != len(b.step_losses):",
           "if False:", "tests/comparing/test_checks.py::test_a_missing_step_is_named"),
    Mutant("a stale record is read", "shared/comparing/runs.py", "or run.record.spec != spec", "",
           "tests/comparing/test_runs.py::test_a_stale_record_is_refused"),
    Mutant("a truncated or altered record is read", "shared/running/record.py", "if files.sha256(folder / name) != expected:",
           "if False:", "tests/running/test_record.py"),
    Mutant("float64 runs have diverged by noise that grew", "shared/comparing/checks.py",
           ".max().astype(np.float32)))", ".max()))",
           "tests/comparing/test_checks.py::test_in_float64_noise_that_grew_is_no_parting_and_excuses_no_weights"),
    Mutant("the smallest crossing first", "shared/comparing/first_divergence.py", "crossing: -abs(", "crossing: abs(",
           "tests/comparing/test_first_divergence.py::test_of_several_crossings_the_one_furthest_apart_comes_first"),
    Mutant("the last step is not drawn", "shared/reporting/charts.py",
           "np.union1d(np.arange(0, count, every), count - 1)", "np.arange(0, count, every)",
           "tests/reporting/test_report.py::test_the_last_step_is_drawn_and_told_however_many_there_are"),
    Mutant("the headline is the proof's multiple where there is one", "shared/reporting/findings.py",
           "return worst.name, worst.factor",
           "return worst.name, (outcome.proof.factors[worst.name] if outcome.proof else worst.factor)",
           "tests/reporting/test_report.py::test_the_headline_means_the_same_with_and_without_a_proof"),
    # The reader's own pair.
    Mutant("own pair: a NaN on both sides agrees", "shared/logs/log_pair.py",
           "finite = np.isfinite(values).all(axis=0)", "finite = ~np.isnan(values).all(axis=0)",
           "tests/logs/test_log_pair.py::test_what_is_not_finite_is_a_parting_on_either_side_or_both"),
    Mutant("own pair: a tolerance picked by hand", "shared/logs/log_pair.py",
           "a.resolution[in_a] + b.resolution[in_b], 0.0)", "1e-3, 0.0)",
           "tests/logs/test_log_pair.py::test_one_printed_unit_is_hidden_and_two_are_not"),
    Mutant("own pair: steps matched by position", "shared/logs/log_pair.py",
           "np.intersect1d(a.steps, b.steps, assume_unique=True, return_indices=True)",
           "(a.steps[:len(b.steps)], *[np.arange(min(len(a.steps), len(b.steps)))] * 2)",
           "tests/logs/test_log_pair.py::test_steps_that_one_alone_has_are_no_agreement"),
    Mutant("own pair: steps of one alone go unnoticed", "shared/logs/log_pair.py",
           "self.first_apart is None and not any(len(steps) for steps in self.only)", "self.first_apart is None",
           "tests/logs/test_log_pair.py::test_steps_that_one_alone_has_are_no_agreement"),
    Mutant("own pair: missing tensors go unnoticed", "shared/logs/log_pair.py", " and not any(self.only)\n", "\n",
           "tests/logs/test_log_pair.py::test_names_that_one_alone_has_are_no_agreement"),
    Mutant("own pair: every kernel transposed that fits", "shared/logs/log_pair.py",
           "for values in (b, *_other_layouts(b))",
           "for values in (*_other_layouts(b), b)",
           "tests/logs/test_log_pair.py::test_numbers_or_shapes_that_differ_do_not"),
    Mutant("own pair: objects are read", "shared/system/files.py", "np.frombuffer(file.read(), dtype).reshape(",
           "np.lib.format.read_array(archive.open(member), allow_pickle=True).reshape(",
           "tests/logs/test_sources.py::test_arrays_that_are_not_weights_are_refused"),
    Mutant("own pair: the precision of the finest value only", "shared/logs/loss_logs.py",
           "resolution[finite] += printed", "resolution[finite] += printed.min()",
           "tests/logs/test_loss_logs.py::test_resolution_is_half_a_unit_of_the_last_digit_that_the_file_writes"),
    Mutant("own pair: a step twice is read", "shared/logs/loss_logs.py", "step <= steps[-1]", "step < steps[-1]",
           "tests/logs/test_loss_logs.py::test_a_bad_file_is_named_with_its_place_value_and_cure"),
    Mutant("own pair: the report replaces its own input", "shared/logs/log_report.py",
           "if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out)):", "if False:",
           "tests/logs/test_log_report.py::test_a_report_never_replaces_what_it_is_about"),
    Mutant("own pair: a first_divergence is status 0", "compare.py", "ending.OK if pair.agree else ending.FAILED", "ending.OK",
           "tests/logs/test_log_report.py::test_status_1_and_a_report_where_the_two_part"),
    Mutant("own pair: options of a training are ignored", "shared/cli.py",
           "if name not in taken and", "if False and",
           "tests/logs/test_log_report.py::test_status_2_and_one_line_for_bad_input_and_nothing_is_lost"),
    # Names and files of users.
    Mutant("names: HTML in one is HTML", "shared/system/escaping.py", '.replace("<", "&lt;")', "", f"{NAMES}{IS_TEXT}"),
    Mutant("names: a cell is raw", "shared/reporting/markdown.py", "else escaped(cell)", "else cell",
           f"{NAMES}{IS_TEXT}"),
    Mutant("names: a backtick ends its code", "shared/system/escaping.py", '"`" * (1 + max(', '"`" * min(1, 1 + max(',
           f"{NAMES}{IS_TEXT}"),
    Mutant("names: an error of several lines", "shared/system/errors.py", "line = one_line(message)", "line = message",
           f"{NAMES}every_error_is_one_line"),
    Mutant("names: the terminal is told them raw", "shared/logs/log_report.py", "map(escaping.one_line, lines)",
           "lines", f"{NAMES}a_tensors_name_and_a_files_reach_neither_report_nor_terminal_raw"),
    Mutant("files: a pipe or a device is opened", "shared/system/files.py", "if not stat.S_ISREG(found.st_mode):", "if False:",
           f"{NO_FILE}[a socket]"),
    Mutant("files: a text of any size is read", "shared/system/files.py", "> LARGEST_TEXT:", "> 2 * LARGEST_TEXT:",
           f"{NO_FILE}[too large a log]"),
    Mutant("files: weights of any size are read", "shared/system/files.py", "if needed > free:", "if False:",
           f"{NO_FILE}[too large weights]"),
    Mutant("files: an archive may become anything", "shared/system/files.py", "unpacked > max(", "unpacked > 2 * max(",
           "tests/test_properties.py::test_a_made_input_that_fell_short_once_does_no_more[6 GiB of 6 MB.npz]"),
    Mutant("files: headers that the tokenizer stumbles over", "shared/system/files.py", "tokenize.TokenError, ", "",
           "tests/test_properties.py::test_an_array_with_any_header_is_refused_or_read"),
    Mutant("pictures: a user's matplotlibrc is read", "shared/reporting/drawing.py",
           'contextlib.chdir(Path(__file__).resolve().parent / "assets")', "contextlib.nullcontext()",
           "tests/reporting/test_drawing.py::test_no_matplotlibrc_changes_a_picture_or_stops_it"),
    Mutant("pictures: a user's backend is used", "shared/reporting/drawing.py", '"MPLBACKEND": "agg", ', "",
           "tests/reporting/test_drawing.py::test_no_variable_stops_a_picture"),
    # The page.
    Mutant("page: words from outside are code", "shared/reporting/page.py", "autoescape=True", "autoescape=False",
           f"{PAGE}a_label_with_a_script_in_it_stays_text"),
    Mutant("page: any script runs, anything is asked for", "shared/reporting/assets/page.html.jinja",
           'http-equiv="Content-Security-Policy"', 'name="policy"',
           f"{PAGE}the_browser_refuses_the_page_anything_that_was_slipped_in"),
    Mutant("page: the first framework's values under both names", "shared/reporting/assets/page.js",
           "textContent = words)", "textContent = said[0])",
           f"{PAGE}a_chart_tells_the_runs_own_values"),
    Mutant("page: no pictures without its script", "shared/reporting/assets/page.css", ".drawn .still {", ".still {",
           f"{PAGE}without_script_every_picture_and_table_is_there_and_no_dead_control"),
    Mutant("page: dark on paper", "shared/reporting/assets/page.css",
           ":root, :root[data-theme] { color-scheme: light; }", "",
           f"{PAGE}paper_shows_the_pictures_and_unfolds_what_is_folded"),
    Mutant("page: a chart out of the keyboard's reach", "shared/reporting/assets/page.js",
           'tabindex: "0", role', "role",
           f"{PAGE}the_keyboard_reaches_every_control_and_works_it"),
    Mutant("page: bands that nobody sees", "shared/reporting/assets/page.js", "bands: this.bands()", "bands: []",
           f"{PAGE}a_band_is_drawn_and_goes_with_its_curve"),
    Mutant("page: seeds joined by a line", "shared/reporting/assets/page.js", "width: curve.joined && !edge ?",
           "width: !edge ?", f"{PAGE}single_seeds_are_points_that_no_line_joins"),
    Mutant("page: the browser takes the fingers' moves", "shared/reporting/assets/page.css", "touch-action: pan-y; ",
           "", f"{PAGE}two_fingers_zoom_and_what_is_under_them_stays_there"),
    Mutant("page: the choice of colours forgotten", "shared/reporting/assets/page.js",
           "remembered((storage) => storage.setItem(KEY, theme));", "",
           f"{PAGE}the_choice_of_colours_is_remembered"),
    Mutant("a curve that can't be drawn, and not a word", "shared/reporting/parts.py", "if undrawn else",
           "if False else", f"{PAGE}every_curve_is_drawn_or_said_not_to_be"),
    Mutant("page: every step of a run of any length", "shared/reporting/charts.py", "np.arange(0, count, every)",
           "np.arange(count)", f"{PAGE}more_steps_than_a_screen_can_show_are_thinned_and_the_axis_says_so"),
    Mutant("a confusion matrix transposed", "shared/reporting/mistakes.py", "(labels[made], predicted[made])",
           "(predicted[made], labels[made])", "tests/reporting/test_mistakes.py"),
    Mutant("confidently wrong by the surer of the two", "shared/reporting/mistakes.py", ".min(axis=0)\n    return",
           ".max(axis=0)\n    return",
           "tests/reporting/test_mistakes.py::test_confidently_wrong_is_what_both_are_sure_of"),
    Mutant("of three frameworks two are compared", "shared/reporting/charts.py",
           "np.max(values, axis=0) - np.min(values, axis=0)", "abs(values[0] - values[1])",
           "tests/reporting/test_parts.py::test_a_third_framework_appears_everywhere"),
    # The terminal.
    Mutant("terminal: any run counts for the pair", "shared/reporting/terminal.py",
           "elif variant == Variant(variant.framework, self._training.dtype) and variant.framework in FRAMEWORKS:",
           "elif variant.framework in FRAMEWORKS:", f"{TERMINAL}the_live_table_holds_the_compared_runs_alone"),
    Mutant("terminal: columns are cut to fit", "shared/reporting/terminal.py",
           "<= console.width", "<= console.width + 5",
           f"{TERMINAL}no_number_is_cut_and_what_is_left_out_is_named"),
    Mutant("terminal: colours in a pipe", "shared/reporting/terminal.py",
           ", color_system=None, force_terminal=False", "",
           f"{TERMINAL}colours_are_on_a_terminal_that_wants_them_and_nowhere_else"),
    Mutant("terminal: bars in a pipe", "shared/system/progress.py", "sys.stderr.isatty() and", "",
           f"{TERMINAL}colours_are_on_a_terminal_that_wants_them_and_nowhere_else"),
    Mutant("terminal: every step is told", "shared/system/progress.py", "if done == total or", "if True or",
           f"{TERMINAL}what_a_child_tells_arrives_in_order_and_not_of_every_step"),
    # The data.
    # Output folders, and what is a user's.
    Mutant("the earlier result goes before the new one is whole", "shared/system/output.py", "            yield staging\n",
           "            shutil.rmtree(out, ignore_errors=True)\n            yield staging\n", "tests/system/test_output.py"),
    *[Mutant(what, "shared/system/output.py", old, new, f"tests/system/test_output.py::test_{killer}")
      for what, old, new, killer in (
          ("a file more is no obstacle", "        elif name not in files and", "        elif False and",
           "an_earlier_result_with_something_of_a_users_is_refused_and_kept"),
          ("a changed file is no obstacle", "elif name in files and", "elif False and",
           "an_earlier_result_with_something_of_a_users_is_refused_and_kept"),
          ("a manifest may lead out of its folder", 'and ".." not in Path(name).parts', "",
           "a_manifest_that_leads_out_of_its_folder_removes_nothing"),
          ("what comes meanwhile is not looked for", "    try:\n        _refuse_what_is_not_ours(given, out)\n",
           "    try:\n", "what_comes_while_we_work_stays_and_the_result_is_whole_beside_it"),
          ("a living run's folder is cleared up", "        return False\n    with os.fdopen(descriptor",
           "        return True\n    with os.fdopen(descriptor", "what_a_living_run_is_writing_is_left_alone"),
          ("nothing of a killed run is cleared up", "            if alone:\n                _clear_up(out)\n", "",
           "a_killed_run_leaves_the_earlier_result_or_a_whole_new_one_and_the_next_run_clears_up"),
          ("results are put in place at any time", "        with _locked(out.parent):\n            _put(",
           "        if True:\n            _put(", "many_writers_at_once_all_succeed_and_the_last_stays"),
          ("a mount point is found out at the end",
           "                _refuse_what_could_not_be_replaced(given, out, staging)\n", "",
           "a_mount_point_is_refused_and_a_folder_in_it_is_used"),
          ("space is not looked at", "    if free < needed:", "    if False:", "a_disk_without_the_room_is_refused"),
          ("temporary files stay", "        shutil.rmtree(folder, ignore_errors=True)\n\n\n@", "        pass\n\n\n@",
           "temporary_files_go_with_the_run"),
      )],
    # The cache.
    *[Mutant(what, "shared/system/cache.py", old, new, f"tests/system/test_cache.py::test_{killer}")
      for what, old, new, killer in (
          ("a damaged entry is used", " and output.is_whole(entry)", "",
           "a_damaged_entry_is_made_again_and_that_is_said"),
          ("entries are made by all at once", "            with _alone(base / kind):", "            if True:",
           "many_processes_at_once_make_an_entry_once"),
          ("nothing ever goes", "if number and (number >=", "if False and (number >=",
           "what_was_not_used_for_longest_goes_first"),
          ("half-made entries stay", "        _clear(left)\n", "        pass\n",
           "what_a_killed_process_left_half_made_goes_and_nobody_waits_for_it"),
          ("what can't be kept ends the run", "    except (OSError, NotImplementedError) as", "    except KeyError as",
           "a_full_disk_keeps_nothing_and_loses_nothing"),
      )],
    # How programs end.
    *[Mutant(what, "shared/system/ending.py", old, new, f"tests/system/test_ending.py::test_{killer}")
      for what, old, new, killer in (
          ("a crash is status 1", "CRASHED, INTERRUPTED = 0, 1, 2, 70, 130", "CRASHED, INTERRUPTED = 0, 1, 2, 1, 130",
           "an_unforeseen_exception_is_status_70_one_line_and_a_traceback_in_a_file"),
          ("a broken pipe ends the program", "except OSError:\n            return len(data)",
           "except KeyError:\n            return len(data)",
           "what_becomes_of_the_screen_changes_nothing"),
          ("a character that can't be shown ends the program", 'errors="replace"', 'errors="strict"',
           "what_becomes_of_the_screen_changes_nothing"),
          ("tidying up is cut short", "> SECONDS_OF_TIDYING", "> 0",
           "a_second_interrupt_does_not_cut_the_tidying_up_short"),
      )],
    Mutant("a child outlives its parent", "shared/system/progress.py", "    os.kill(os.getpid(), signal.SIGTERM)\n",
           "    return\n", "tests/test_faults.py::test_children_end_when_compare_does"),
    Mutant("a child's end is not asked of itself", "shared/comparing/processes.py", ' and told["status"] == status', "",
           "tests/test_faults.py::test_a_child_that_ends_in_any_way_fails_the_comparison_and_no_more"),
    # Requests that would be ignored.
    Mutant("asked in vain: an evaluation takes options of the training", "shared/running/runner.py",
           "if options.evaluate:\n            cli.take_only", "if False:\n            cli.take_only",
           "tests/running/test_runner.py::test_an_evaluation_takes_no_option_of_the_training"),
    Mutant("asked in vain: a stock run takes --prove", "compare.py", 'if spec.mode == "stock":\n        taken',
           "if False:\n        taken", "tests/test_programs.py::test_bad_input_to_compare_alone"),
    Mutant("asked in vain: what the fast engine lacks", "shared/running/runner.py", "engines.check(spec, framework)", "pass",
           "tests/running/test_runner.py::test_a_fast_engine_is_refused_at_once_where_it_lacks_the_update"),
    Mutant("asked in vain: a stock run takes an engine", "shared/spec.py", '    "engine": "auto",\n', "",
           "tests/test_programs.py::test_bad_input_to_compare_alone"),
    Mutant("numbers: underscores are read over", "shared/spec.py", 'is not None and "_" not in text', "is not None",
           "tests/shared/test_training.py::test_bad_value_is_named_in_one_line_with_a_cure"),
    Mutant("numbers: the digits of every alphabet", "shared/cli.py", "(is_plain(text) and text.isdecimal())",
           "text.isdecimal()", "tests/running/test_runner.py::test_a_number_of_steps_is_plainly_written"),
    # make.
    Mutant("make: the second environment must have every test", "Makefile", "|| [ $$? -eq 5 ]", "",
           "tests/test_make.py"),
    # How fast.
    Mutant("speed: a GPU's time against the CPU's floor", "benchmarks/speed.py", ', "--device", "cpu"]', "]",
           "tests/benchmarks/test_benchmarks.py::test_what_is_held_against_the_cpus_floor_runs_on_the_cpu"),
    # The machine, the outer settings, and what a run takes.
    Mutant("outer: the quota of a parent's group is overlooked", "shared/system/machine.py", "(group, *group.parents)",
           "(group,)",
           "tests/system/test_machine.py::test_the_cores_are_those_that_affinity_and_quota_leave"),
    Mutant("outer: a variable that is set later counts", "shared/system/machine.py", "dict(_AT_START)",
           "settings_of(os.environ)",
           "tests/system/test_machine.py::test_the_environment_is_that_of_the_start_whatever_is_set_later"),
    Mutant("outer: a kept run is found whatever the settings", "shared/comparing/store.py", ", environment()]", "]",
           "tests/comparing/test_store.py::test_keys_differ_with_all_that_a_run_depends_on"),
    Mutant("outer: kept figures are found whatever the libraries", "shared/studies/sweep.py",
           "libraries[job[0]], *machine.gpus()", "*machine.gpus()",
           "tests/studies/test_sweep.py::test_what_is_kept_is_found_by_every_library_and_gpu"),
    Mutant("outer: as many runs on a GPU as there are cores", "shared/studies/sweep.py", "and machine.gpus():",
           "and False:", "tests/studies/test_sweep.py::test_as_many_runs_at_once_as_there_are_cores_and_one_to_a_gpu"),
    Mutant("outer: what differs around two runs is not said", "shared/comparing/checks.py", "if x != y", "if False",
           "tests/comparing/test_checks.py::test_what_lies_around_a_run_and_differs_is_said"),
    Mutant("footprint: what can't fit starts", "shared/running/footprint.py", "if bytes_needed <= available:", "if True:",
           "tests/running/test_footprint.py::test_what_does_not_fit_is_refused_by_the_option_that_makes_it_large"),
    Mutant("footprint: a record's gradients are forgotten", "shared/running/footprint.py", "+ 2) * _parameters(spec)  #",
           "+ 0) * _parameters(spec)  #", "tests/running/test_footprint.py::test_a_record_takes_as_much_disk_as_foretold"),
    # How cost grows.
    Mutant("scaling: a part of an epoch is counted in steps", "benchmarks/scaling.py",
           "sum(map(len, epoch)) / sum(map(len, timed))", "len(epoch) / len(timed)",
           "tests/benchmarks/test_benchmarks.py::test_times_a_part_of_a_long_epoch_and_multiplies_by_examples"),
    Mutant("scaling: the floor is the same for more examples", "benchmarks/scaling.py",
           "times = point.examples if point.engine == FLOOR else 1", "times = 1",
           "tests/benchmarks/test_benchmarks.py::test_the_floor_of_more_examples_is_so_many_times_that_of_one_set"),
    Mutant("scaling: a product of the backward pass is left out", "benchmarks/floor.py",
           "        if depth:", "        if depth > 1:",
           "tests/benchmarks/test_benchmarks.py::test_the_floor_is_the_eight_products_of_a_step"),
    Mutant("scaling: a lucky repeat with two threads is enough", "benchmarks/scaling.py",
           "max(two) < min(one)", "min(two) < min(one)",
           "tests/benchmarks/test_benchmarks.py::test_a_second_thread_pays_where_every_repeat_is_faster"),
]  # fmt: skip


def copy_of_the_house(folder: Path) -> None:
    """What the tests need; the data, the documents and the environments are not copied but linked."""
    for name in ("benchmarks", "library_defaults", "shared", "pytorch_impl", "tensorflow_impl", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("compare.py", "pyproject.toml", "README.md", "Makefile"):
        shutil.copy(ROOT / name, folder)
    for name in ("data", "docs", ".venv", ".cache"):
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)


def run_test(folder: Path, mutant: Mutant) -> int:
    """Pytest's exit status: 0 passed, 1 failed, anything else could not run."""
    framework = "TensorFlow" if mutant.file.startswith("tensorflow_impl") else "PyTorch"
    command = [PYTHONS[framework], "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutant.killer]
    if mutant.killer.startswith((IMPLEMENTATION, "tests/test_stock")):
        command += ["--framework", framework.lower()]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def verdict(mutant: Mutant) -> str:
    """How the mutant fared."""
    with tempfile.TemporaryDirectory() as folder:
        copy_of_the_house(Path(folder))
        path = Path(folder) / mutant.file
        text = path.read_text(encoding="utf-8")
        if mutant.old not in text:
            return "NOT APPLICABLE"
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        return {0: "SURVIVED", 1: "killed"}.get(run_test(Path(folder), mutant), "TEST COULD NOT RUN")


def killers_pass(mutants: Sequence[Mutant], pool: ThreadPoolExecutor) -> bool:
    """Whether every killer passes on an unchanged copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy_of_the_house(Path(folder))
        once = {(m.killer, m.file.startswith("tensorflow_impl")): m for m in mutants}.values()
        failed = [
            m.killer
            for m, status in zip(once, pool.map(lambda m: run_test(Path(folder), m), once), strict=True)
            if status
        ]
    for killer in failed:
        print(f"fails without any mutant: {killer}")
    return not failed


def main() -> int:
    """Print a line per mutant and the count. Status 0 when all are killed."""
    words = sys.argv[1:]
    mutants = [mutant for mutant in MUTANTS if all(word in mutant.what for word in words)]
    with ThreadPoolExecutor(2) as pool:
        if not killers_pass(mutants, pool):
            return 1
        fates = []
        for mutant, fate in zip(mutants, pool.map(verdict, mutants), strict=True):
            fates.append(fate)
            print(f"{fate:8}  {mutant.what:62}  {mutant.killer.replace('tests/test_', '')}", flush=True)
    killed = fates.count("killed")
    print(f"{killed} of {len(mutants)} mutants killed")
    return 0 if killed == len(mutants) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
