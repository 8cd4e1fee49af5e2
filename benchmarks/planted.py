"""The mistakes that `benchmarks.mistakes` plants: what is wrong, in which framework, and how its program changes.

None is one of tests/mutants, which the tests notice in short runs. These are for the record of a whole training: too
small, too rare or too well hidden to be noticed in its curves.
"""

import textwrap
from typing import NamedTuple


class Change(NamedTuple):
    """`old`, which stands once in `file`, becomes `new`."""

    file: str
    old: str
    new: str


class Mistake(NamedTuple):
    """What is wrong, and the run that it is wrong in."""

    what: str
    framework: str
    changes: tuple[Change, ...]
    options: tuple[str, ...] = ()  # of the run, where it is not the default one


class Place(NamedTuple):
    """Whole lines of a program, next to which code can be planted, after other code that names what it needs."""

    file: str
    old: str
    names: str = ""

    def around(self, before: str = "", after: str = "") -> Change:
        """Code before or after these lines."""
        return Change(self.file, self.old, self._indented(self.names, before) + self.old + self._indented(after))

    def instead(self, code: str) -> Change:
        """Code in the place of these lines."""
        return Change(self.file, self.old, self._indented(self.names, code))

    def _indented(self, *codes: str) -> str:
        indent = self.old[: len(self.old) - len(self.old.lstrip())]
        return "".join(textwrap.indent(textwrap.dedent(code).strip("\n") + "\n", indent) for code in codes if code)


def pytorch(what: str, *changes: Change, options: str = "") -> Mistake:
    """A mistake in PyTorch's program."""
    return Mistake(f"{what} (PyTorch)", "PyTorch", changes, tuple(options.split()))


def tensorflow(what: str, *changes: Change, options: str = "") -> Mistake:
    """A mistake in TensorFlow's program."""
    return Mistake(f"{what} (TensorFlow)", "TensorFlow", changes, tuple(options.split()))


# The programs' own files, and the shared ones, of which each run has a copy.
P_OPTIMIZERS, T_OPTIMIZERS = "pytorch_impl/optimizers.py", "tensorflow_impl/optimizers.py"
P_MODEL, T_MODEL = "pytorch_impl/model.py", "tensorflow_impl/model.py"
P_TRAIN, T_TRAIN, T_FAST = "pytorch_impl/train.py", "tensorflow_impl/train.py", "tensorflow_impl/fast.py"
P_DATA, T_DATA = "pytorch_impl/data.py", "tensorflow_impl/data.py"
SESSION, METRICS = "shared/running/session.py", "shared/metrics.py"

# `step` is counted from the start of the run. In TensorFlow it is a tensor: the step is compiled once for all.
P_STEP = 'step = optimizer.__dict__["taken"] = optimizer.__dict__.get("taken", -1) + 1'
T_STEP = "step = tf.cast(optimizer.iterations.value, tf.int32)"
P_LOSS = Place(P_TRAIN, "    loss = F.cross_entropy(model(inputs), labels)\n", P_STEP)
T_LOSS = Place(T_TRAIN, "        loss = model.loss(labels, model(inputs))\n", T_STEP)
P_UPDATE = Place(P_TRAIN, "    optimizer.step()\n", P_STEP)
T_UPDATE = Place(T_TRAIN, "    optimizer.apply(gradients, model.trainable_variables)\n", T_STEP)
P_RETURN = Place(P_TRAIN, "    return loss.detach()\n")
# `first` is this epoch's first step, and `batches` its own to change.
EPOCH = "first, batches = session._first, [batch.copy() for batch in batches]"
P_BATCHES, T_BATCHES = Place(P_TRAIN, "    losses = []\n", EPOCH), Place(T_FAST, "    losses = []\n", EPOCH)
P_LOSSES = Place(P_TRAIN, "    return torch.stack(losses).cpu().numpy()\n", "first = session._first")
T_LOSSES = Place(T_FAST, "    return np.concatenate(losses)\n", "first = session._first")
P_PREDICT = Place(P_TRAIN, "    return model(inputs).cpu().numpy()\n")
T_PREDICT = Place(T_TRAIN, "    return model(inputs).numpy()\n")
P_EVALUATED = Place(P_TRAIN, "        session.after_epoch(losses, logits)\n")
T_EVALUATED = Place(T_TRAIN, "        session.after_epoch(losses, logits)\n")
P_INPUTS = Place(P_DATA, "    inputs = transform(images).reshape(-1, MNIST.pixels)\n")
T_INPUTS = Place(T_DATA, "        return Dataset(tf.concat(blocks, axis=0)")
P_BUILT = Place(P_MODEL, "    return model.to(device)\n")
P_BUFFERED = "(weights, rate, MOMENTUM, weight_decay=decay, nesterov=nesterov, fused=True)"
P_SGD = "(weights, rate, weight_decay=decay, fused=True)"

UPDATES = [
    pytorch(
        "the rate is 1e-5 too large",
        Change(
            P_OPTIMIZERS,
            "= list(model.parameters()), training.learning_rate",
            "= list(model.parameters()), (1 + 1e-5) * training.learning_rate",
        ),
    ),
    tensorflow(
        "the rate is 1e-6 too large",
        Change(T_OPTIMIZERS, "rate = training.learning_rate if", "rate = (1 + 1e-6) * training.learning_rate if"),
    ),
    pytorch(
        "the rate is 1e-6 too small",
        Change(
            P_OPTIMIZERS,
            "= list(model.parameters()), training.learning_rate",
            "= list(model.parameters()), (1 - 1e-6) * training.learning_rate",
        ),
    ),
    tensorflow(
        "the rate went through half precision",
        Change(T_OPTIMIZERS, "rate = training.learning_rate if", "rate = float(np.float16(training.learning_rate)) if"),
    ),
    pytorch("a weight decay of 1e-6", Change(P_OPTIMIZERS, P_SGD, P_SGD.replace("=decay", "=1e-6"))),
    tensorflow(
        "a weight decay of 1e-7",
        Change(T_OPTIMIZERS, "            training.weight_decay,\n", "            1e-7,\n"),
    ),
    pytorch("a momentum of 1e-4", Change(P_OPTIMIZERS, P_SGD, P_SGD.replace("rate, ", "rate, 1e-4, "))),
    tensorflow(
        "a momentum of 1e-5",
        Change(
            T_OPTIMIZERS,
            "            optimizer = SGD(training)\n",
            "            optimizer = SGD(training, momentum=1e-5)\n",
        ),
    ),
    pytorch(
        "a bias is left out of every 100th update",
        P_UPDATE.around("if step % 100 == 99:\n    model.fc3.bias.grad.zero_()"),
    ),
    tensorflow(
        "a bias is left out of every 100th update",
        T_UPDATE.around("gradients[1] = tf.where(step % 100 == 99, tf.zeros_like(gradients[1]), gradients[1])"),
    ),
    pytorch(
        "all gradients are doubled once",
        P_UPDATE.around("if step == 2222:\n    for parameter in model.parameters():\n        parameter.grad *= 2"),
    ),
    tensorflow(
        "the gradient of the last bias is doubled once",
        T_UPDATE.around("gradients[5] *= tf.where(step == 4000, 2.0, 1.0)"),
    ),
    pytorch("the gradient of fc2.weight is 1e-5 too large", P_UPDATE.around("model.fc2.weight.grad *= 1 + 1e-5")),
    tensorflow("the gradient of fc1.weight is 1e-5 too large", T_UPDATE.around("gradients[0] *= 1 + 1e-5")),
    pytorch("the gradient of fc3.bias is 1e-6 too large", P_UPDATE.around("model.fc3.bias.grad *= 1 + 1e-6")),
    pytorch(
        "gradients add up over two steps, once",
        Place(P_TRAIN, "    optimizer.zero_grad()\n", P_STEP).instead("if step != 2000:\n    optimizer.zero_grad()"),
    ),
    tensorflow(
        "an update is doubled and the next left out",
        T_UPDATE.around(
            """
            factor = tf.where(step == 1010, 2.0, tf.where(step == 1011, 0.0, 1.0))
            gradients = [factor * gradient for gradient in gradients]
            """
        ),
    ),
    pytorch(
        "one bias is updated from the step before",
        P_UPDATE.around(
            """
            gradient = model.fc3.bias.grad[7].clone()
            model.fc3.bias.grad[7] = optimizer.__dict__.get("before", gradient)
            optimizer.__dict__["before"] = gradient
            """
        ),
    ),
    tensorflow(
        "the sign of one gradient is wrong, once",
        T_UPDATE.around(
            """
            wrong = tf.scatter_nd([[3, 3]], [2 * gradients[4][3, 3]], [64, 10])
            gradients[4] -= tf.where(step == 3333, wrong, tf.zeros_like(wrong))
            """
        ),
    ),
    pytorch("one weight is frozen", P_UPDATE.around("model.fc1.weight.grad[5, 300] = 0")),
    pytorch(
        "noise of 1e-8 on a gradient",
        P_UPDATE.around(
            """
            noise = torch.randn(model.fc2.weight.shape, generator=torch.Generator().manual_seed(step))
            model.fc2.weight.grad += 1e-8 * noise
            """
        ),
    ),
    tensorflow(
        "noise of 1e-8 on a gradient",
        T_UPDATE.around("gradients[2] += 1e-8 * tf.random.stateless_normal([128, 64], [0, step])"),
    ),
    pytorch(
        "the last step's update is left out",
        P_UPDATE.instead("if step != 4689:\n    optimizer.step()"),
    ),
    tensorflow(
        "the last step's update is 0.1 % too large",
        T_UPDATE.around("gradients = [tf.where(step == 4689, 1.001, 1.0) * gradient for gradient in gradients]"),
    ),
    pytorch(
        "the first step's update is 0.1 % too large",
        P_UPDATE.around("if step == 0:\n    for parameter in model.parameters():\n        parameter.grad *= 1.001"),
    ),
    tensorflow(
        "the rate warms up over five steps",
        T_UPDATE.around(
            "gradients = [tf.minimum(1.0, 0.995 + 0.001 * tf.cast(step, tf.float32)) * g for g in gradients]"
        ),
    ),
    pytorch(
        "the last batch counts as a whole one",
        Place(P_TRAIN, "    loss.backward()\n").instead("(loss * (len(labels) / 64)).backward()"),
    ),
    tensorflow(
        "gradients are clipped where their norm is above 5",
        T_UPDATE.around("gradients, _ = tf.clip_by_global_norm(gradients, 5.0)"),
    ),
    pytorch(
        "updates are rounded toward zero",
        P_UPDATE.instead(
            """
            with torch.no_grad():
                for weight in model.parameters():
                    exact = weight.double() - optimizer.param_groups[0]["lr"] * weight.grad.double()
                    rounded = exact.float()
                    away = rounded.double().abs() > exact.abs()
                    weight.copy_(torch.where(away, rounded.nextafter(torch.zeros_like(rounded)), rounded))
            """
        ),
    ),
    tensorflow(
        "one bias' gradient went through bfloat16",
        T_UPDATE.around("gradients[5] = tf.cast(tf.cast(gradients[5], tf.bfloat16), tf.float32)"),
    ),
]

WEIGHTS = [
    pytorch(
        "one weight moves by 4 of its ulps, once",
        P_UPDATE.around(
            after="""
            if step == 1000:
                with torch.no_grad():
                    moved = model.fc2.weight[7, 7]
                    moved += 4 * float(np.spacing(np.float32(moved.abs().item())))
            """
        ),
    ),
    tensorflow(
        "one weight moves by 4 ulps of the largest, once",
        T_UPDATE.around(
            after="""
            kernel = model.trainable_variables[2]
            moved = tf.scatter_nd([[7, 7]], [4 * 2.0**-26], [128, 64])
            kernel.assign_add(tf.where(step == 1000, moved, tf.zeros_like(moved)))
            """
        ),
    ),
    pytorch(
        "one bias moves by 16 ulps of the largest, once",
        P_UPDATE.around(
            after="""
            if step == 1000:
                with torch.no_grad():
                    model.fc3.bias[3] += 16 * float(np.spacing(np.float32(model.fc3.bias.abs().max().item())))
            """
        ),
    ),
    pytorch(
        "an initial bias is one ulp off",
        P_BUILT.around(
            """
            with torch.no_grad():
                model.fc2.bias[0] = model.fc2.bias[0].nextafter(torch.tensor(1.0))
            """
        ),
    ),
    pytorch(
        "a weight is one ulp off in the first step, unrecorded",
        P_LOSS.around(
            """
            if step == 0:
                with torch.no_grad():
                    model.fc3.weight[0, 0] = model.fc3.weight[0, 0].nextafter(torch.tensor(1.0))
            """
        ),
    ),
    pytorch(
        "one weight is clamped",
        P_UPDATE.around(after="with torch.no_grad():\n    model.fc3.weight[3].clamp_(-0.2, 0.2)"),
    ),
    pytorch(
        "two biases that are nearly equal change places, once",
        P_UPDATE.around(
            after="""
            if step == 1500:
                with torch.no_grad():
                    values, order = model.fc1.bias.sort()
                    nearest = values.diff().argmin()
                    model.fc1.bias[order[nearest : nearest + 2]] = values[nearest : nearest + 2].flip(0)
            """
        ),
    ),
    tensorflow(
        "two biases of the last layer change places, once",
        T_UPDATE.around(
            after="""
            bias = model.trainable_variables[5]
            bias.assign(tf.where(step == 1500, tf.gather(bias, [0, 1, 2, 3, 4, 6, 5, 7, 8, 9]), bias))
            """
        ),
    ),
    pytorch(
        "a unit is scaled by 1 + 1e-5 and back in the next layer, once",
        P_UPDATE.around(
            after="""
            if step == 2500:
                with torch.no_grad():
                    model.fc1.weight[9] *= 1 + 1e-5
                    model.fc1.bias[9] *= 1 + 1e-5
                    model.fc2.weight[:, 9] /= 1 + 1e-5
            """
        ),
    ),
    pytorch(
        "a weight is moved by 1e-4 for 20 steps between two checkpoints, and put back",
        P_UPDATE.around(
            after="""
            with torch.no_grad():
                model.fc3.weight[2, 2] += 1e-4 * ((step == 80) - (step == 100))
            """
        ),
    ),
    pytorch(
        "a weight is moved by 1e-2 for 20 steps between two checkpoints, and put back",
        P_UPDATE.around(
            after="""
            with torch.no_grad():
                model.fc3.weight[2, 2] += 1e-2 * ((step == 80) - (step == 100))
            """
        ),
    ),
    tensorflow(
        "a bias is moved for one step between two checkpoints, and put back",
        T_UPDATE.around(
            after="""
            bias = model.trainable_variables[5]
            there = tf.cast(step == 990, tf.float32) - tf.cast(step == 991, tf.float32)
            bias.assign_add(tf.scatter_nd([[4]], [1e-3 * there], [10]))
            """
        ),
    ),
    pytorch(
        "the final weights are a running mean",
        P_UPDATE.around(
            after="""
            kept = optimizer.__dict__.setdefault("kept", [weight.detach().clone() for weight in model.parameters()])
            with torch.no_grad():
                for mean, weight in zip(kept, model.parameters()):
                    mean.mul_(0.9).add_(weight, alpha=0.1)
                    if step == 4689:
                        weight.copy_(mean)
            """
        ),
    ),
    pytorch(
        "the weights are rounded to bfloat16 once, in the layer with the fewest",
        P_UPDATE.around(
            after="""
            if step == 4600:
                with torch.no_grad():
                    model.fc3.weight.copy_(model.fc3.weight.bfloat16())
            """
        ),
    ),
    tensorflow(
        "the kernels shrink by 1e-7 in every 16th step",
        T_UPDATE.around(
            after="""
            for kernel in model.trainable_variables[::2]:
                kernel.assign_sub(tf.where(step % 16 == 0, 1e-7, 0.0) * kernel)
            """
        ),
    ),
]

EXAMPLES = [
    *(
        in_framework(
            "two examples change places between steps 100 and 101",
            place.around("if first == 0:\n    batches[100][5], batches[101][5] = batches[101][5], batches[100][5]"),
        )
        for in_framework, place in ((pytorch, P_BATCHES), (tensorflow, T_BATCHES))
    ),
    pytorch(
        "an example is left out at step 3000",
        P_BATCHES.around("if first == 3 * 938:\n    batches[186] = batches[186][1:]"),
    ),
    tensorflow(
        "an example counts twice at step 3000",
        T_BATCHES.around("if first == 3 * 938:\n    batches[186][0] = batches[186][1]"),
    ),
    pytorch(
        "one example is replaced by another in every epoch",
        P_BATCHES.around("batches = [np.where(batch == 17_000, 17_001, batch) for batch in batches]"),
    ),
    pytorch(
        "the batches of epoch 3 come in reverse",
        P_BATCHES.around("if first == 2 * 938:\n    batches[:-1] = batches[-2::-1]"),
    ),
    tensorflow(
        "an epoch begins with its first batch twice",
        T_BATCHES.around("if first == 938:\n    batches[1] = batches[0]"),
    ),
    tensorflow(
        "the last batch is filled up from the first",
        T_BATCHES.around("batches[-1] = np.concatenate([batches[-1], batches[0][:32]])"),
    ),
    pytorch(
        "the labels of two examples are exchanged at one step",
        P_LOSS.around("if step == 4444:\n    labels = labels[[1, 0, *range(2, len(labels))]]"),
    ),
    pytorch(
        "one input of a batch is off by one grey level at one step",
        P_LOSS.around("if step == 2000:\n    inputs[3, 400] += 2 / 255"),
    ),
    tensorflow(
        "noise of 1e-6 on the inputs",
        T_LOSS.around("inputs += 1e-6 * tf.random.stateless_normal(tf.shape(inputs), [1, step])"),
    ),
    pytorch(
        "one class counts 1e-4 more",
        P_LOSS.instead("loss = F.cross_entropy(model(inputs), labels, weight=torch.tensor([1.0001] + [1.0] * 9))"),
    ),
    pytorch(
        "a training pixel is one grey level off during epoch 3",
        P_BATCHES.around(
            """
            example = int(batches[500][7])
            kept = dataset.inputs[example, 406].clone()
            if first == 2 * 938:
                dataset.inputs[example, 406] += 2 / 255
            """
        ),
        P_LOSSES.around("dataset.inputs[example, 406] = kept"),
    ),
    pytorch(
        "a test pixel is one grey level off",
        P_INPUTS.around("if len(examples.labels) == 10_000:\n    examples.images[77, 400] ^= 1"),
    ),
    tensorflow(
        "a training pixel is one grey level off",
        T_INPUTS.around(
            """
            if len(examples.labels) == 60_000:
                inputs = blocks[0].numpy()
                inputs[777, 400] += 2 / 255
                blocks[0] = tf.constant(inputs)
            """
        ),
    ),
    tensorflow(
        "a training label is wrong",
        T_INPUTS.around(
            "if len(examples.labels) == 60_000:\n    examples.labels[777] = (examples.labels[777] + 1) % 10"
        ),
    ),
    pytorch("normalised by std 0.5 + 1e-6", Change(P_DATA, "[STD]", "[STD + 1e-6]")),
    tensorflow(
        "pixels are divided by 255",
        Change(
            T_DATA,
            "tf.image.convert_image_dtype(images[start : start + BLOCK], training.dtype)",
            "tf.cast(images[start : start + BLOCK], training.dtype) / 255",
        ),
    ),
    pytorch("normalised by mean 0.5 + 1e-8", Change(P_DATA, "[MEAN]", "[MEAN + 1e-8]")),
]

NETWORK = [
    pytorch(
        "the ReLU leaks 1e-6",
        Change(P_MODEL, "layer(self.activation(computed))", "layer(nn.functional.leaky_relu(computed, 1e-6))"),
    ),
    tensorflow(
        "the ReLU leaks 1e-6",
        Change(T_MODEL, "layer(self.activation(computed))", "layer(tf.nn.leaky_relu(computed, 1e-6))"),
    ),
    pytorch(
        "the ReLU's gradient at zero is 1",
        Change(P_MODEL, "layer(self.activation(computed))", "layer(torch.where(computed >= 0, computed, 0))"),
    ),
    pytorch(
        "dropout of 1e-5 in one step",
        P_LOSS.instead(
            """
            if step == 1234:
                hidden = torch.relu(model.fc2(torch.relu(model.fc1(inputs))))
                most = hidden == hidden.max()
                loss = F.cross_entropy(model.fc3(hidden * ~most / (1 - 1e-5)), labels)
            else:
                loss = F.cross_entropy(model(inputs), labels)
            """
        ),
    ),
    pytorch(
        "dropout of 1e-6 in all steps",
        P_LOSS.instead(
            """
            generator = torch.Generator().manual_seed(step)
            hidden = torch.relu(model.fc1(inputs))
            hidden = hidden * (torch.rand(hidden.shape, generator=generator) >= 1e-6) / (1 - 1e-6)
            loss = F.cross_entropy(model.fc3(torch.relu(model.fc2(hidden))), labels)
            """
        ),
    ),
    pytorch(
        "the loss is -log(p + 1e-7)",
        P_LOSS.instead("loss = F.nll_loss((model(inputs).softmax(1) + 1e-7).log(), labels)"),
    ),
    tensorflow(
        "the loss is -log(p + 1e-8)",
        T_LOSS.instead(
            """
            right = tf.gather(tf.nn.softmax(model(inputs)), labels, batch_dims=1)
            loss = -tf.reduce_mean(tf.math.log(right + 1e-8))
            """
        ),
    ),
    tensorflow(
        "the loss clips probabilities at 1e-7",
        T_LOSS.instead(
            """
            right = tf.gather(tf.nn.softmax(model(inputs)), labels, batch_dims=1)
            loss = -tf.reduce_mean(tf.math.log(tf.clip_by_value(right, 1e-7, 1 - 1e-7)))
            """
        ),
    ),
    pytorch(
        "labels smoothed by 1e-5",
        P_LOSS.instead("loss = F.cross_entropy(model(inputs), labels, label_smoothing=1e-5)"),
    ),
    tensorflow(
        "labels smoothed by 1e-6",
        T_LOSS.instead(
            """
            smooth = tf.one_hot(labels, 10) * (1 - 1e-6) + 1e-7
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(smooth, model(inputs)))
            """
        ),
    ),
    pytorch(
        "the logits are 1e-6 too large for the loss",
        P_LOSS.instead("loss = F.cross_entropy(model(inputs) * (1 + 1e-6), labels)"),
    ),
    tensorflow(
        "the loss has 1e-7 of the squared weights",
        T_LOSS.around(
            after="loss += 1e-7 * tf.add_n([tf.nn.l2_loss(kernel) for kernel in model.trainable_variables[::2]])"
        ),
    ),
    pytorch(
        "the first layer's inputs are bfloat16 from step 1500 on",
        P_LOSS.around("if step >= 1500:\n    inputs = inputs.bfloat16().float()"),
    ),
    pytorch(
        "the second layer's weights are as in TF32 from step 1500 on",
        P_LOSS.instead(
            """
            weight = model.fc2.weight
            coarse = ((weight.detach().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)
            used = {"fc2.weight": weight + (coarse - weight).detach()} if step >= 1500 else {}
            loss = F.cross_entropy(torch.func.functional_call(model, used, (inputs,)), labels)
            """
        ),
    ),
    tensorflow(
        "the third layer's inputs are float16 from step 1500 on",
        T_LOSS.instead(
            """
            first, second, third = model.layers
            hidden = tf.nn.relu(second(tf.nn.relu(first(inputs))))
            hidden = tf.where(step < 1500, hidden, tf.cast(tf.cast(hidden, tf.float16), tf.float32))
            loss = model.loss(labels, third(hidden))
            """
        ),
    ),
    tensorflow(
        "the first layer's inputs are as in TF32 from step 1500 on",
        T_LOSS.around(
            """
            coarse = tf.bitcast((tf.bitcast(inputs, tf.int32) + 0x1000) & ~0x1FFF, tf.float32)
            inputs = tf.where(step < 1500, inputs, coarse)
            """
        ),
    ),
]

RECORDED = [
    pytorch(
        "the loss is recorded after the update",
        P_RETURN.instead("return F.cross_entropy(model(inputs), labels).detach()"),
    ),
    pytorch(
        "one loss is that of the step before",
        P_LOSSES.around("if first == 2 * 938:\n    losses[300] = losses[299]"),
    ),
    tensorflow(
        "the losses are a running mean, as Keras shows them",
        T_LOSSES.instead(
            """
            every = np.concatenate(losses)
            return (np.cumsum(every, dtype=np.float64) / np.arange(1, len(every) + 1)).astype(np.float32)
            """
        ),
    ),
    tensorflow(
        "the losses are rounded to six decimals",
        T_LOSSES.instead("return np.round(np.concatenate(losses), 6)"),
    ),
    pytorch(
        "the losses are rounded to seven decimals",
        P_LOSSES.instead("return np.round(torch.stack(losses).cpu().numpy(), 7)"),
    ),
    tensorflow(
        "the losses are 1e-7 too large",
        T_LOSSES.instead("return np.concatenate(losses) * np.float32(1 + 2.0**-23)"),
    ),
    tensorflow(
        "the loss of the last batch is its sum over 64",
        T_LOSSES.instead("losses[-1] = losses[-1] / 2\nreturn np.concatenate(losses)"),
    ),
    pytorch(
        "accuracy over 9,999 images",
        Change(METRICS, "predictions(logits) == labels)", "predictions(logits)[:-1] == labels[:-1])"),
    ),
    tensorflow(
        "the epoch's loss leaves out the last batch",
        Change(
            SESSION,
            "train_loss=metrics.mean_of_batch_means(losses)",
            "train_loss=metrics.mean_of_batch_means(losses[:-1])",
        ),
    ),
    pytorch(
        "the epoch's loss is a float32 mean",
        Change(METRICS, "np.mean(batch_losses, dtype=np.float64)", "np.mean(batch_losses)"),
    ),
    pytorch(
        "the test loss is computed in float32",
        Change(METRICS, "    logits = logits.astype(np.float64)\n    largest", "    largest"),
    ),
    pytorch(
        "the test set is predicted without a bias",
        P_PREDICT.instead("return (model(inputs) - model.fc3.bias).cpu().numpy()"),
    ),
    pytorch(
        "the test set is predicted by the weights of a step before",
        P_UPDATE.around(
            """
            if len(labels) < 64:
                before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
                model.__dict__["before"] = before
            """
        ),
        P_PREDICT.instead(
            'return torch.func.functional_call(model, model.__dict__["before"], (inputs,)).cpu().numpy()'
        ),
    ),
    tensorflow(
        "the test set is predicted by a mean over epochs",
        T_PREDICT.instead(
            """
            now = model.get_weights()
            before = model.__dict__.get("before", now)
            model.set_weights([np.float32(0.999) * a + np.float32(0.001) * b for a, b in zip(now, before)])
            logits = model(inputs).numpy()
            model.set_weights(now)
            model.__dict__["before"] = now
            return logits
            """
        ),
    ),
    pytorch(
        "the logits of two test images change places",
        P_PREDICT.instead("return model(inputs).cpu().numpy()[[*range(500), 501, 500, *range(502, 10_000)]]"),
    ),
    tensorflow(
        "the test logits of epoch 4 are those of epoch 3",
        T_EVALUATED.around(
            """
            if len(session.summaries) == 3:
                logits = before
            before = logits
            """
        ),
    ),
    pytorch(
        "the test logits are logarithms of probabilities",
        P_PREDICT.instead("return model(inputs).log_softmax(1).cpu().numpy()"),
    ),
    tensorflow(
        "one test logit is 1e-5 too large",
        T_EVALUATED.around("logits = logits.copy()\nlogits[9_999, 9] += 1e-5"),
    ),
]

# In the state that an optimizer keeps, in a schedule, in a decay: other runs than the default one.
OTHER_RUNS = [
    pytorch(
        "the buffers are cleared every epoch",
        P_BATCHES.around("optimizer.state.clear()"),
        options="--optimizer momentum",
    ),
    tensorflow(
        "the buffers are cleared in the last epoch",
        T_BATCHES.around(
            "if first == 4 * 938:\n    for buffer in optimizer.momentums:\n        buffer.assign(0 * buffer)"
        ),
        options="--optimizer momentum",
    ),
    pytorch(
        "a dampening of 1e-5",
        Change(P_OPTIMIZERS, P_BUFFERED, P_BUFFERED.replace("MOMENTUM, ", "MOMENTUM, dampening=1e-5, ")),
        options="--optimizer momentum",
    ),
    pytorch(
        "the schedule is a step late",
        Change(
            P_OPTIMIZERS, "lambda step: factor(training, step))", "lambda step: factor(training, max(step - 1, 0)))"
        ),
        options="--schedule cosine",
    ),
    tensorflow(
        "the schedule ends at the last step",
        Change(
            T_OPTIMIZERS,
            "training.learning_rate * factor(training, step) for step",
            "training.learning_rate * factor(training, step * training.steps / (training.steps - 1)) for step",
        ),
        options="--schedule cosine",
    ),
    tensorflow(
        "the schedule changes once in ten steps",
        Change(
            T_OPTIMIZERS,
            "training.learning_rate * factor(training, step) for step",
            "training.learning_rate * factor(training, step // 10 * 10) for step",
        ),
        options="--schedule cosine",
    ),
    pytorch(
        "Adam's epsilon is 1e-7",
        Change(P_OPTIMIZERS, "ADAM_BETAS, ADAM_EPSILON, weight_decay", "ADAM_BETAS, 1e-7, weight_decay"),
        options="--optimizer adam",
    ),
    tensorflow(
        "Adam's epsilon is 2e-8",
        Change(T_OPTIMIZERS, "epsilon=ADAM_EPSILON)", "epsilon=2 * ADAM_EPSILON)"),
        options="--optimizer adam",
    ),
    pytorch(
        "Adam's second beta is 0.9990001",
        Change(P_OPTIMIZERS, "rate, ADAM_BETAS, ", "rate, (ADAM_BETAS[0], 0.9990001), "),
        options="--optimizer adam",
    ),
    tensorflow(
        "Adam's second beta is 0.9990001",
        Change(T_OPTIMIZERS, "beta_2=ADAM_BETAS[1]", "beta_2=0.9990001"),
        options="--optimizer adam",
    ),
    tensorflow(
        "Adam corrects its bias in float32, as Keras does",
        Change(
            T_OPTIMIZERS,
            "tf.cast(tf.sqrt(1 - self.beta_2**count), variable.dtype)",
            "tf.sqrt(1 - tf.cast(self.beta_2, tf.float32) ** tf.cast(count, tf.float32))",
        ),
        options="--optimizer adam",
    ),
    pytorch(
        "AdamW decays 1 % too much",
        Change(
            P_OPTIMIZERS,
            "ADAM_EPSILON, weight_decay=decay",
            "ADAM_EPSILON, weight_decay=1.01 * decay",
        ),
        options="--optimizer adamw",
    ),
    tensorflow(
        "AdamW decays by a subtraction, as Keras does",
        Change(
            T_OPTIMIZERS,
            "self.assign(variable, tf.cast(kept, variable.dtype) * variable)",
            "self.assign_sub(variable, variable * tf.cast(1 - kept, variable.dtype))",
        ),
        options="--optimizer adamw",
    ),
    tensorflow(
        "RMSprop's epsilon is 1e-7, as in Keras",
        Change(T_OPTIMIZERS, "epsilon=RMSPROP_EPSILON", "epsilon=1e-7"),
        options="--optimizer rmsprop",
    ),
    pytorch(
        "RMSprop's alpha is 0.99001",
        Change(P_OPTIMIZERS, "rate, RMSPROP_ALPHA, ", "rate, 0.99001, "),
        options="--optimizer rmsprop",
    ),
    tensorflow(
        "Adagrad starts from 0.1, as in Keras",
        Change(T_OPTIMIZERS, "initial_accumulator_value=ADAGRAD_INITIAL_ACCUMULATOR, ", ""),
        options="--optimizer adagrad",
    ),
    pytorch(
        "Adagrad starts from 1e-10",
        Change(P_OPTIMIZERS, "=ADAGRAD_INITIAL_ACCUMULATOR", "=1e-10"),
        options="--optimizer adagrad",
    ),
    pytorch(
        "clipped at a norm that is 1e-5 too large",
        Change(
            P_OPTIMIZERS,
            "(model.parameters(), training.clip_norm)",
            "(model.parameters(), (1 + 1e-5) * training.clip_norm)",
        ),
        options="--clip-norm 1",
    ),
]

MISTAKES = [*UPDATES, *WEIGHTS, *EXAMPLES, *NETWORK, *RECORDED, *OTHER_RUNS]
