"""The training, in both frameworks and in the reference: update, optimizers, loss, batches, engines, model, data."""

from tests.mutants.table import Mutant, in_file, twins

IMPLEMENTATION = "tests/implementations/test_implementation.py::test_"
TRAINS = "trains_as_the_reference_does_short_last_batch_included"
UPDATES = "updates_as_the_reference_does"
# Of Keras's momentum.
ADDED = """self.momentum * buffer + {gradient})
        direction = {gradient} + self.momentum * buffer if self.nesterov else buffer
        self.assign_sub(variable, {direction})"""

MUTANTS: list[Mutant] = [
    *twins(
        "optimizers.py",
        {
            f"{TRAINS}[eager-float64]": [
                (
                    "rate off by 1 %",
                    ("training.learning_rate", "1.01 * training.learning_rate"),
                    ("training.learning_rate", "1.01 * training.learning_rate"),
                ),
                (
                    "a little momentum",
                    ("(weights, rate, weight_decay", "(weights, rate, 0.01, weight_decay"),
                    ("optimizer = SGD(training)", "optimizer = SGD(training, momentum=0.01)"),
                ),
                (
                    "a little weight decay",
                    ("training.weight_decay", "1e-4 + training.weight_decay"),
                    ("training.weight_decay", "1e-4 + training.weight_decay"),
                ),
            ],
            f"{UPDATES}[eager-adam alone float64]": [
                ("Keras's epsilon, 1e-7", ("ADAM_EPSILON, ", "1e-7, "), ("=ADAM_EPSILON", "=1e-7")),
                (
                    "buffers of one kind under the other's name",
                    ('"square": {"exp_avg_sq",', '"square": {"exp_avg",'),
                    ('"square": {"_velocities",', '"square": {"_momentums",'),
                ),
                (
                    "buffers under the names of other tensors",
                    ("for weight in model.parameters():", "for weight in reversed([*model.parameters()]):"),
                    ("variable.value for variable in variables]", "variable.value for variable in variables[::-1]]"),
                ),
            ],
            "keeps_nothing_of_gradients_before_the_first_step[adagrad]": [
                (
                    "Adagrad's sum starts from Keras's 0.1",
                    ("initial_accumulator_value=ADAGRAD_INITIAL_ACCUMULATOR", "initial_accumulator_value=0.1"),
                    ("initial_accumulator_value=ADAGRAD_INITIAL_ACCUMULATOR", "initial_accumulator_value=0.1"),
                ),
            ],
            f"{UPDATES}[eager-adam with all float64]": [
                (
                    "decay decoupled in Adam too",
                    ('torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam', "torch.optim.AdamW"),
                    ('AdamW if training.optimizer == "adamw" else Adam', "AdamW"),
                ),
            ],
            f"{UPDATES}[eager-adamw with all float64]": [
                (
                    "decay coupled in AdamW too",
                    ('torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam', "torch.optim.Adam"),
                    ('training.optimizer != "adamw"', "True"),
                ),
            ],
            f"{UPDATES}[eager-sgd with all float64]": [
                (
                    "each tensor clipped by itself",
                    (
                        "torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)",
                        "[torch.nn.utils.clip_grad_norm_([p], training.clip_norm) for p in model.parameters()]",
                    ),
                    (
                        "[shrinking * gradient for gradient in grads]",
                        "[tf.clip_by_norm(g, self.clip_norm) for g in grads]",
                    ),
                ),
                (
                    "schedule off by one step",
                    ("factor(training, step)", "factor(training, step + 1)"),
                    ("factor(training, step)", "factor(training, step + 1)"),
                ),
            ],
        },
    ),
    *twins(
        "train.py",
        {
            f"{TRAINS}[eager-float64]": [
                (
                    "gradient of one layer zeroed",
                    ("    optimizer.step()", "    model.fc2.weight.grad.zero_()\n    optimizer.step()"),
                    ("    optimizer.apply(gradients,", "    gradients[2] *= 0\n    optimizer.apply(gradients,"),
                ),
                (
                    "one loss altered by a millionth",
                    ("return torch.stack(losses)", "losses[0] += 1e-6\n    return torch.stack(losses)"),
                    ("return tf.stack(losses)", "losses[0] += 1e-6\n    return tf.stack(losses)"),
                ),
                (
                    "labels shifted by one",
                    (
                        "*(tensor.index_select(0, index) for tensor in dataset)",
                        "dataset.inputs[index], (dataset.labels[index] + 1) % 10",
                    ),
                    (
                        "*(tf.gather(tensor, index) for tensor in dataset)",
                        "tf.gather(dataset.inputs, index), (tf.gather(dataset.labels, index) + 1) % 10",
                    ),
                ),
                (
                    "last batch dropped",
                    ("    losses = []\n", "    losses = []\n    batches = batches[:-1]\n"),
                    ("    losses = []\n", "    losses = []\n    batches = batches[:-1]\n"),
                ),
                (
                    "last batch taken twice",
                    ("    losses = []\n", "    losses = []\n    batches = [*batches, batches[-1]]\n"),
                    ("    losses = []\n", "    losses = []\n    batches = [*batches, batches[-1]]\n"),
                ),
            ],
            "loss_is_the_mean_cross_entropy_before_the_update": [
                (
                    "softmax applied twice",
                    (
                        "loss = F.cross_entropy(model(inputs), labels)",
                        "loss = F.cross_entropy(model(inputs).softmax(1), labels)",
                    ),
                    (
                        "loss = model.loss(labels, model(inputs))",
                        "loss = model.loss(labels, tf.nn.softmax(model(inputs)))",
                    ),
                ),
                (
                    "loss summed, not averaged",
                    (
                        "loss = F.cross_entropy(model(inputs), labels)",
                        'loss = F.cross_entropy(model(inputs), labels, reduction="sum")',
                    ),
                    (
                        "loss = model.loss(labels, model(inputs))",
                        "loss = 64 * model.loss(labels, model(inputs))",
                    ),
                ),
            ],
        },
    ),
    *twins(
        "model.py",
        {
            "weights_go_in_and_come_out_as_the_same_bits": [
                (
                    "biases start at zero",
                    ("torch.from_numpy(values)", 'torch.from_numpy(values * (not name.endswith("bias")))'),
                    (
                        "model.set_weights([_transpose_kernel(name, values)",
                        'model.set_weights([_transpose_kernel(name, values) * (not name.endswith("bias"))',
                    ),
                ),
            ],
            "computes_the_references_activations_logits_loss_and_gradients": [
                (
                    "a leak below zero",
                    ("layer(self.activation(computed))", "layer(nn.functional.leaky_relu(computed))"),
                    ("layer(self.activation(computed))", "layer(tf.nn.leaky_relu(computed))"),
                ),
                (
                    "float32 smuggled into the forward pass",
                    ("layer(self.activation(computed))", "layer(self.activation(computed.float()).to(computed.dtype))"),
                    (
                        "layer(self.activation(computed))",
                        "layer(tf.cast(self.activation(tf.cast(computed, tf.float32)), computed.dtype))",
                    ),
                ),
            ],
        },
    ),
    *twins(
        "data.py",
        {
            "normalises_all_256_pixel_values_to_the_same_bits": [
                (
                    "mean 0.4999",
                    ("v2.Normalize([MEAN]", "v2.Normalize([MEAN - 1e-4]"),
                    ("mean=MEAN", "mean=MEAN - 1e-4"),
                ),
            ],
            "tells_what_is_on_the_device_now": [
                (
                    "what is on the device is told in float32",
                    ("tensor.cpu().numpy()", "tensor.cpu().float().numpy().astype(tensor.cpu().numpy().dtype)"),
                    ("tensor.numpy()", 'tensor.numpy().astype("float32").astype(tensor.numpy().dtype)'),
                ),
            ],
            "its_own_loader_delivers_the_canonical_arrays": [
                ("test set in training", ('train=split == "train"', "train=False"), ("split=split", 'split="test"')),
                (
                    "the loader's own order",
                    (
                        "canonical(mnist.data.numpy(), mnist.targets.numpy())",
                        "Examples(mnist.data.numpy().reshape(-1, MNIST.pixels), mnist.targets.numpy())",
                    ),
                    (
                        'canonical(mnist["image"].numpy(), mnist["label"].numpy())',
                        'Examples(mnist["image"].numpy().reshape(-1, 784), mnist["label"].numpy())',
                    ),
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/optimizers.py",
        {
            f"{IMPLEMENTATION}keeps_nothing_of_gradients_before_the_first_step[adam]": [
                ("buffers that are not there yet are no zeros (PyTorch)", "torch.zeros_like", "torch.ones_like"),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/model.py",
        {
            f"{IMPLEMENTATION}what_the_library_keeps_is_found_all_of_it_and_copied[adam]": [
                ("buffers are not copied (PyTorch)", ".cpu().numpy().copy()", ".cpu().numpy()"),
            ],
        },
    ),
    *in_file(
        "shared/reference/reordered/__init__.py",
        {
            "tests/reference/test_optimizers.py::test_reordered_it_trains_the_same_but_for_rounding": [
                (
                    "buffers in another order than weights (reordered)",
                    "reorder(optimizers.buffers(training, model, optimizer))",
                    "optimizers.buffers(training, model, optimizer)",
                ),
            ],
            "tests/reference/test_reference.py::test_reordered_it_tells_its_inputs_in_the_canonical_order": [
                ("inputs in another order (reordered)", "Dataset(dataset.inputs[:, ::-1],", "Dataset(dataset.inputs,"),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/train.py",
        {
            f"{IMPLEMENTATION}trains_as_the_reference_does_short_last_batch_included[eager-float64]": [
                ("gradients add up (PyTorch)", "    optimizer.zero_grad()\n", ""),
            ],
            f"{IMPLEMENTATION}loss_is_the_mean_cross_entropy_before_the_update": [
                (
                    "labels smoothed by a millionth (PyTorch)",
                    "loss = F.cross_entropy(model(inputs), labels)",
                    "loss = F.cross_entropy(model(inputs), labels, label_smoothing=1e-6)",
                ),
            ],
            f"{IMPLEMENTATION}predicts_all_test_images_as_the_reference_does": [
                (
                    "one logit is not a number (PyTorch)",
                    "return model(inputs).cpu().numpy()",
                    'logits = model(inputs).cpu().numpy()\n    logits[77, 7] = float("nan")\n    return logits',
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/optimizers.py",
        {
            f"{IMPLEMENTATION}updates_as_the_reference_does[eager-adam alone float64]": [
                (
                    "epsilon before the bias correction (TensorFlow)",
                    "root = ops.sqrt(square) /",
                    "root = (ops.sqrt(square) + self.epsilon) /",
                ),
                ("bias correction off by one (TensorFlow)", "self.iterations + 1", "self.iterations + 2"),
            ],
            f"{IMPLEMENTATION}updates_as_the_reference_does[eager-rmsprop alone float64]": [
                (
                    "epsilon under RMSprop's root (TensorFlow)",
                    "(ops.sqrt(square) + self.epsilon)",
                    "ops.sqrt(square + self.epsilon)",
                ),
                (
                    "a constant through float32 (TensorFlow)",
                    "self.rho * square",
                    "tf.cast(self.rho, variable.dtype) * square",
                ),
            ],
            f"{IMPLEMENTATION}updates_as_the_reference_does[eager-adagrad alone float64]": [
                (
                    "epsilon under Adagrad's root (TensorFlow)",
                    "(ops.sqrt(total) + self.epsilon)",
                    "ops.sqrt(total + self.epsilon)",
                ),
            ],
            f"{IMPLEMENTATION}updates_as_the_reference_does[eager-sgd with all float64]": [
                ("clipped by the norm alone (TensorFlow)", " + CLIP_EPSILON)", ")"),
            ],
            f"{IMPLEMENTATION}updates_as_the_reference_does[eager-momentum with all float64]": [
                (
                    "rate folded into the velocity (TensorFlow)",
                    ADDED.format(gradient="gradient", direction="learning_rate * direction"),
                    ADDED.format(gradient="learning_rate * gradient", direction="direction"),
                ),
            ],
        },
    ),
    *in_file(
        "shared/reference/optimizers.py",
        {
            "tests/reference/test_optimizers.py::test_epsilon_is_added_to_the_root_of_the_corrected_mean": [
                (
                    "epsilon under the root of ADAM (reference)",
                    "np.sqrt(square) + ADAM_EPSILON",
                    "np.sqrt(square + ADAM_EPSILON)",
                ),
                (
                    "epsilon under the root of RMSPROP (reference)",
                    "np.sqrt(kept.square) + RMSPROP_EPSILON",
                    "np.sqrt(kept.square + RMSPROP_EPSILON)",
                ),
                (
                    "epsilon under the root of ADAGRAD (reference)",
                    "np.sqrt(kept.square) + ADAGRAD_EPSILON",
                    "np.sqrt(kept.square + ADAGRAD_EPSILON)",
                ),
            ],
            "tests/reference/test_optimizers.py::test_two_steps_by_hand": [
                (
                    "bias correction off by one (reference)",
                    "self.kept[name], self._steps)",
                    "self.kept[name], self._steps + 1)",
                ),
            ],
            "tests/reference/test_optimizers.py::test_goes_on_from_what_was_kept_as_if_never_stopped": [
                ("what was kept is not taken up (reference)", "buffer)[...] = values", "buffer)"),
                (
                    "the steps that were taken are not counted (reference)",
                    "self._training, self._steps, self._fused = training, steps, fused",
                    "self._training, self._steps, self._fused = training, 0, fused",
                ),
                ("buffers are not copied (reference)", "getattr(kept, buffer).copy()", "getattr(kept, buffer)"),
            ],
            "tests/reference/test_optimizers.py::test_decay_goes_through_the_rule_but_in_adamw": [
                (
                    "decay decoupled in all (reference)",
                    'if decay and training.optimizer == "adamw"',
                    "if decay and True",
                ),
                (
                    "decay coupled in AdamW too (reference)",
                    'if decay and training.optimizer == "adamw"',
                    "if decay and False",
                ),
            ],
            "tests/reference/test_optimizers.py::test_all_gradients_are_clipped_by_their_norm_together": [
                (
                    "each tensor clipped by itself (reference)",
                    "shrinking * gradient for name",
                    "gradient * np.minimum(training.clip_norm / np.linalg.norm(gradient), 1) for name",
                ),
                ("clipped by the norm alone (reference)", " + CLIP_EPSILON)", ")"),
            ],
            "tests/reference/test_optimizers.py::test_a_change_of_rate_counts_for_the_whole_buffer": [
                (
                    "schedule off by one step (reference)",
                    "factor(training, self._steps)",
                    "factor(training, self._steps + 1)",
                ),
            ],
        },
    ),
    *in_file(
        "shared/running/record.py",
        {
            "tests/running/test_record.py::test_record_without_a_right_checkpoint_is_refused_by_its_name": [
                (
                    "checkpoints: a record may lack them",
                    "for step in checkpoints(training, run.record.checkpoint_steps):",
                    "for step in ():",
                ),
                (
                    "checkpoints: a record may lack their buffers",
                    "for buffer in UPDATE_RULES[training.optimizer].buffers:",
                    "for buffer in ():",
                ),
            ],
            "tests/running/test_record.py::test_checkpoints_of_a_large_network_are_further_apart": [
                ("checkpoints: as many of a large network", "max(apart, fewest)", "apart"),
                (
                    "checkpoints: as many where the optimizer keeps more",
                    "kept = 1 + len(UPDATE_RULES[training.optimizer].buffers)",
                    "kept = 1",
                ),
            ],
            "tests/running/test_record.py::test_checkpoints_by_hand": [
                (
                    "checkpoints: none where an epoch begins",
                    "{start + step for start in starts for step in within}",
                    "set(range(0, training.steps, within.step))",
                ),
            ],
        },
    ),
    *in_file(
        "shared/running/footprint.py",
        {
            "tests/running/test_footprint.py::test_a_record_takes_as_much_disk_as_foretold[None-configuration2]": [
                (
                    "footprint: a record's gradients are forgotten",
                    "len(weighed_steps(training)) + 1",
                    "len(weighed_steps(training))",
                ),
            ],
            "tests/running/test_footprint.py::test_a_record_takes_as_much_disk_as_foretold[8-configuration4]": [
                (
                    "footprint: what a checkpoint keeps is forgotten",
                    "kept = 1 + len(UPDATE_RULES[training.optimizer].buffers)",
                    "kept = 1",
                ),
            ],
        },
    ),
    *in_file(
        "shared/random_numbers.py",
        {
            "tests/shared/test_random_numbers.py::test_each_seed_purpose_and_index_has_its_own_stream": [
                ("perturbed by the numbers of the weights", "range(4)", "0, 1, 2, 0"),
            ],
        },
    ),
    *in_file(
        "shared/network.py",
        {
            "tests/shared/test_network.py::test_perturb_moves_every_weight_by_the_smallest_step_up_or_down": [
                ("perturbed up, all of them", "np.inf, -np.inf)", "np.inf, np.inf)"),
            ],
            "tests/shared/test_network.py::test_perturb_moves_half_of_them_up_others_in_each_tensor_and_draw": [
                (
                    "perturbed in the same way in every tensor",
                    "purpose=random_numbers.SIGNS, index=index",
                    "purpose=random_numbers.SIGNS, index=0",
                ),
                ("perturbed in the same way in every draw", "seed=draw", "seed=0"),
            ],
        },
    ),
    *in_file(
        "shared/mnist.py",
        {
            "tests/shared/test_mnist.py::test_checksum_of_inputs_is_of_all_their_bits": [
                (
                    "the checksum of the pixels that inputs come from",
                    "np.ascontiguousarray(images).data",
                    "np.ascontiguousarray((images * 255).round().astype(np.uint8)).data",
                ),
            ],
        },
    ),
    *in_file(
        "shared/running/schedule.py",
        {
            "tests/reference/test_optimizers.py::test_schedules_by_hand": [
                ("the rate falls a step late (schedule)", "step >= share", "step > share"),
            ],
        },
    ),
    *in_file(
        "shared/contract.py",
        {
            "tests/running/test_runner.py::test_an_engine_is_the_one_asked_for_or_the_frameworks_own_choice": [
                (
                    "--engine is not heeded",
                    '{"fast": self.fast, "workers": self.workers}.get(name) or self.train',
                    "self.train",
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/runtime.py",
        {
            f"{IMPLEMENTATION}trains_as_the_reference_does_short_last_batch_included[eager-float64]": [
                (
                    "rate left in float32 (TensorFlow)",
                    "keras.config.set_floatx(dtype)",
                    'keras.config.set_floatx("float32")',
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/model.py",
        {
            f"{IMPLEMENTATION}loss_is_the_mean_cross_entropy_before_the_update": [
                ("logits taken for probabilities (TensorFlow)", "from_logits=True", "from_logits=False"),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/fast.py",
        {
            f"{IMPLEMENTATION}trains_as_the_reference_does_short_last_batch_included[fast-float64]": [
                ("fast: rate off by 1 % (PyTorch)", 'param_groups[0]["lr"]', 'param_groups[0]["lr"] * 1.01'),
                (
                    "fast: the steps that fill no call are lost (PyTorch)",
                    "for index in indices:",
                    "for index in indices[:-1]:",
                ),
                (
                    "fast: a call's batches in another order (PyTorch)",
                    "for index in batches:",
                    "for index in batches.flip(0):",
                ),
            ],
            f"{IMPLEMENTATION}updates_as_the_reference_does[fast-adam alone float64]": [
                ("fast: plain SGD for every rule (PyTorch)", '"optimizer", "schedule"', '"schedule"'),
                (
                    "fast: gradients of one batch all along (PyTorch)",
                    "*dataset, index)\n        for",
                    "*dataset, batch)\n        for",
                ),
            ],
            f"{IMPLEMENTATION}updates_as_the_reference_does[fast-sgd with all float64]": [
                (
                    "fast: plain SGD where it clips, decays and changes its rate (PyTorch)",
                    '("optimizer", "schedule", "weight_decay", "clip_norm")',
                    '("optimizer",)',
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/fast.py",
        {
            f"{IMPLEMENTATION}trains_as_the_reference_does_short_last_batch_included[fast-float64]": [
                ("fast: one step too few (TensorFlow)", "while step < count:", "while step < count - 1:"),
                ("fast: every loss in the first place (TensorFlow)", "losses, [[step]]", "losses, [[0]]"),
            ],
        },
    ),
    *in_file(
        "shared/running/session.py",
        {
            "tests/running/test_runner.py::test_records_the_order_it_used": [
                (
                    "shuffling off by one epoch",
                    "epoch_order(self.training.seed, epoch, self._draw)",
                    "epoch_order(self.training.seed, epoch + 1, self._draw)",
                ),
            ],
            "tests/running/test_runner.py::test_takes_every_step_of_every_epoch_in_order": [
                (
                    "the same order in every epoch",
                    "epoch_order(self.training.seed, epoch, self._draw)",
                    "epoch_order(self.training.seed, 0, self._draw)",
                ),
            ],
            "tests/running/test_runner.py::test_records_what_the_first_step_computes_and_of_no_other": [
                ("what a step computes is looked at in every epoch", "if number == 0:", "if step == 0:"),
            ],
            "tests/running/test_runner.py::test_records_what_the_optimizer_keeps_at_each_checkpoint": [
                ("checkpoints: the buffers are left out", "if number in self._checkpoints:", "if False:"),
            ],
            "tests/running/test_runner.py::test_a_run_without_checkpoints_leaves_none": [
                ("checkpoints: buffers without being asked", "if number in self._checkpoints:", "if True:"),
            ],
            "tests/running/test_runner.py::test_evaluates_after_each_epoch_at_fixed_weights": [
                (
                    "the test logits of the last epoch only",
                    "np.stack(self._logits)}",
                    "np.stack(self._logits[-1:] * len(self._logits))}",
                ),
                (
                    "the epoch's loss averaged by examples",
                    "train_loss=metrics.mean_of_batch_means(losses)",
                    "train_loss=metrics.mean_per_example(losses, [len(batch) for batch in self.batches])",
                ),
            ],
        },
    ),
    *in_file(
        "shared/running/runner.py",
        {
            "tests/running/test_runner.py::test_an_evaluation_takes_no_option_of_the_training": [
                (
                    "asked in vain: an evaluation takes options of the training",
                    "if options.evaluate:\n            cli.take_only",
                    "if False:\n            cli.take_only",
                ),
            ],
            "tests/running/test_runner.py::test_the_reference_has_no_fast_engine": [
                ("asked in vain: a fast engine where there is none", "check_engine(configuration, name)", "pass"),
            ],
            "tests/running/test_runner.py::test_records_the_checksum_of_what_is_on_the_device": [
                (
                    "the checksum of what was read, not of what is on the device",
                    "checksum(*implementation.data.to_arrays(dataset))",
                    "checksum(*started.read(split)[1])",
                ),
            ],
            "tests/running/test_runner.py::test_other_data_than_mnist_is_refused_before_training": [
                ("other data are trained on", '    check_examples("train", examples)\n', ""),
                ("other data are tested on", '    check_examples("test", examples)\n', ""),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/stock.py",
        {
            "tests/implementations/test_stock.py::test_keras_without_its_defaults_starts_as_pytorch_does": [
                (
                    "Keras's kernels by PyTorch's rule (TensorFlow)",
                    '"glorot_uniform" if "kernels"',
                    '"glorot_uniform" if "order"',
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/stock.py",
        {
            "tests/implementations/test_stock.py::test_images_are_normalised_as_the_spec_says": [
                (
                    "stock images keep their pixels (PyTorch)",
                    "transforms.Normalize((MEAN,), (STD,))",
                    "transforms.Normalize((0,), (1,))",
                ),
            ],
        },
    ),
    *in_file(
        "shared/training.py",
        {
            "tests/running/test_runner.py::test_keras_defaults_are_tensorflows_alone": [
                (
                    "the pair keeps Keras's defaults on both sides",
                    'self.keras_defaults if framework == "TensorFlow" else ()',
                    "self.keras_defaults",
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/model.py",
        {
            f"{IMPLEMENTATION}weights_go_in_and_come_out_as_the_same_bits": [
                (
                    "a transpose missing where the shape allows it (TensorFlow)",
                    "model.set_weights([_transpose_kernel(name, values) for",
                    "model.set_weights([values if len({*values.shape}) == 1 else _transpose_kernel(name, values) for",
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/data.py",
        {
            f"{IMPLEMENTATION}normalises_all_256_pixel_values_to_the_same_bits": [
                (
                    "divided by 255 as ToTensor does (PyTorch)",
                    "v2.ToDtype(getattr(torch, training.dtype), scale=True)",
                    "v2.Lambda(lambda x: x.to(getattr(torch, training.dtype)) / 255)",
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/data.py",
        {
            f"{IMPLEMENTATION}normalises_all_256_pixel_values_to_the_same_bits": [
                (
                    "Keras's own Rescaling (TensorFlow)",
                    "tf.image.convert_image_dtype(images[start : start + BLOCK], training.dtype)",
                    "keras.layers.Rescaling(1 / 255, dtype=training.dtype)(images[start : start + BLOCK])",
                ),
            ],
        },
    ),
    *in_file(
        "shared/metrics.py",
        {
            "tests/shared/test_metrics.py": [
                ("argmax over the wrong axis", "argmax(axis=1)", "argmax(axis=0)"),
            ],
        },
    ),
    *in_file(
        "shared/reference/model.py",
        {
            "tests/reference/test_reference.py::test_a_relu_passes_no_gradient_at_zero": [
                (
                    "the ReLU passes a gradient at zero",
                    "lambda entering: entering > 0",
                    "lambda entering: entering >= 0",
                ),
            ],
            "tests/reference/test_reference.py::test_gradients_are_the_slopes_of_the_loss": [
                (
                    "the slope of tanh by what leaves it",
                    "1 - np.tanh(entering) ** 2",
                    "1 - np.tanh(np.tanh(entering)) ** 2",
                ),
                ("the slope of the sigmoid without its square", "share * (1 - share)", "share"),
            ],
        },
    ),
]
