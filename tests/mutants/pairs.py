"""Two models of a user's own: what is compared, what is called a cause, what a verdict is."""

from tests.mutants.table import Mutant, in_file

CLIMB, SEARCH = "tests/pairs/test_climb.py::test_", "tests/pairs/test_search.py::test_"
EACH, DIAGNOSED = "tests/pairs/test_each_side.py::test_", "tests/pairs/test_diagnosis.py::test_"
COMMAND, LANGUAGES = "tests/pairs/test_pair_command.py::test_", "tests/pairs/test_pair_languages.py::test_"
OVER, DROPS = f"{EACH}a_layer_that_writes_over_its_input", f"{EACH}each_dropout_is_read_once_a_call_and_drops_nothing"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/pairs/climb.py",
        {
            f"{CLIMB}a_change_that_is_tried_does_not_widen_its_own_floor": [
                (
                    "pairs: a floor is measured from the run that was changed",
                    "base = self.unchanged.get(key)",
                    "base = self.arrays.get(key)",
                ),
            ],
            f"{CLIMB}a_number_that_is_not_finite_on_one_side_agrees_with_nothing": [
                (
                    "pairs: what is not finite is no difference",
                    "return largest if np.isfinite(largest) else np.inf",
                    "return largest if np.isfinite(largest) else 0.0",
                ),
            ],
            f"{CLIMB}a_gradient_that_one_side_lacks_is_a_difference": [
                (
                    "pairs: a gradient that one side lacks is passed over",
                    "if (name in expected) != (name in theirs):",
                    "if False:",
                ),
            ],
            f"{CLIMB}a_bias_that_keras_alone_trains_is_a_difference": [
                (
                    "pairs: a bias of Keras's alone is passed over",
                    "if name in self.sides.more_in_keras and name in theirs",
                    "if False and name in theirs",
                ),
            ],
            f"{CLIMB}images_are_laid_out_by_what_the_calls_say_and_not_by_the_smallest_difference": [
                (
                    "pairs: an image is laid out as its shape allows",
                    "if ours_call.channels_last is False and theirs_call.channels_last and ours.ndim == theirs.ndim:",
                    "if False:",
                ),
            ],
            f"{CLIMB}a_floor_is_what_rounding_moves_on_either_side_and_no_less_than_an_epsilon_of_the_largest": [
                (
                    "pairs: the floor of PyTorch's side is left out",
                    "floor = max(self.torch.moves(keys[0]), self.keras.moves(keys[1]), eps * largest)",
                    "floor = max(self.keras.moves(keys[1]), eps * largest)",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/search.py",
        {
            f"{SEARCH}three_faults_are_three_causes_and_what_brings_nothing_is_none": [
                (
                    "pairs: what brings nothing is a cause",
                    "if first is None or self._rank(checks) >= self._rank(now):",
                    "if False:",
                ),
            ],
            f"{SEARCH}a_factor_that_explains_one_number_is_no_cause": [
                (
                    "pairs: a factor of one number is a cause",
                    "if better and (after is None or after.stage > candidate.beyond):",
                    "if better:",
                ),
            ],
            f"{SEARCH}a_change_that_can_not_be_made_is_no_cause_and_no_match": [
                (
                    "pairs: a change that can't be made is as good as any",
                    "        if not checks:\n            return -1\n",
                    "        if not checks:\n            return np.inf\n",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/diagnosis.py",
        {
            "tests/pairs/test_pair_report.py::test_a_framework_default_beside_what_is_unexplained_does_not_excuse_it": [
                (
                    "pairs: what is left unexplained is no difference",
                    "if self.unexplained or self.read_only or",
                    "if self.read_only or",
                ),
            ],
            "tests/pairs/test_pair_report.py::test_the_verdict_is_the_first_line_everywhere": [
                (
                    "pairs: what was only read is no difference",
                    "if self.unexplained or self.read_only or",
                    "if self.unexplained or",
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/pair/watch.py",
        {
            f"{OVER}_is_seen_with_what_went_in[made(x)]": [
                (
                    "pairs: what went into a layer is looked at once it is over",
                    "self.seen is None else copied(tensors_in((arguments, named)))",
                    "self.seen is None else tensors_in((arguments, named))",
                ),
            ],
            f"{OVER}_is_seen_with_what_went_in[x.relu_()]": [
                (
                    "pairs: what went into a function is looked at once it is over",
                    "given = copied(tensors_in((arguments, named))[: 1 if known[1].kind != kinds.SDPA else 3])",
                    "given = tensors_in((arguments, named))[: 1 if known[1].kind != kinds.SDPA else 3]",
                ),
            ],
            f"{EACH}what_is_added_to_an_output_in_place_is_no_part_of_it": [
                (
                    "pairs: an output is looked at once the pass is over",
                    "return tensor.detach().cpu().numpy().copy()",
                    "return tensor.detach().cpu().numpy()",
                ),
            ],
            f"{DROPS}[0-F.dropout]": [
                (
                    "pairs: a function that drops is not counted",
                    'self._drops(f"F.{function.__name__} in {where}", dropped(function, arguments, named))',
                    "pass",
                ),
            ],
            f"{DROPS}[0-nn.Dropout, twice]": [
                (
                    "pairs: a layer that drops is counted once, however often it is called",
                    'self.dropped[f"{place}, no. {before + 1}" if before else place] = rate',
                    "self.dropped[place] = rate",
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/pair/layers.py",
        {
            f"{OVER}_is_seen_with_what_went_in[F.leaky_relu_(x, 0.1)]": [
                (
                    "pairs: a function that writes over its input is not seen",
                    "(F.leaky_relu, F.leaky_relu_)",
                    "(F.leaky_relu,)",
                ),
            ],
            f"{DROPS}[0-attention, by place]": [
                (
                    "pairs: a rate that an attention is told by its place is none",
                    "if len(arguments) > RATE:",
                    "if len(arguments) > RATE + 1:",
                ),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/pair/subject.py",
        {
            f"{EACH}clipping_is_read_however_it_is_told": [
                ("pairs: clipping by a norm that is given is not heard", '"clip_grads_with_norm_", ', ""),
                (
                    "pairs: a limit is read by its place alone",
                    'float(given["max_norm"])',
                    "float(arguments[1])",
                ),
                (
                    "pairs: the type of a norm is not read",
                    'float(given.get("norm_type", EUCLIDEAN))',
                    "EUCLIDEAN",
                ),
                (
                    "pairs: clipping of each gradient is that of all",
                    'alone = isinstance(given["parameters"], Tensor)',
                    "alone = False",
                ),
            ],
            f"{EACH}the_clipping_of_one_file_is_not_that_of_the_next": [
                ("pairs: the clipping of another file stays", "        _clipped.clear()\n", ""),
            ],
            f"{DROPS}[0-nn.MultiheadAttention]": [
                (
                    "pairs: the dropout of PyTorch's attention stays",
                    "rates[path], module.dropout = [module.dropout], 0.0",
                    "rates[path] = [module.dropout]",
                ),
            ],
            f"{DROPS}[0-nn.LSTM of three layers]": [
                (
                    "pairs: a recurrent layer drops once, however many layers it has",
                    "[module.dropout] * (module.num_layers - 1)",
                    "[module.dropout]",
                ),
            ],
            f"{DROPS}[0-F.alpha_dropout]": [
                (
                    "pairs: functions drop in a step",
                    "        with self.watch.recording(None):\n",
                    "        if True:\n",
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/pair/subject.py",
        {
            f"{DROPS}[1-Attention]": [
                (
                    "pairs: the dropout of Keras's attention stays",
                    "keras.layers.Attention | keras.layers.MultiHeadAttention",
                    "keras.layers.MultiHeadAttention",
                ),
            ],
            f"{DROPS}[1-LSTM]": [
                (
                    "pairs: recurrent dropout stays",
                    'names = ("dropout", "_dropout", "recurrent_dropout")',
                    'names = ("dropout", "_dropout")',
                ),
            ],
            f"{DROPS}[1-Bidirectional]": [
                ("pairs: both directions are counted", "return [layer.backward_layer]", "return []"),
            ],
            f"{EACH}steps_as_a_graph_give_what_they_give_eagerly[a count in a layer]": [
                (
                    "pairs: what Python computed for one step is taken for all",
                    "_traceable[0] = _text_of(before) == _text_of(self._graph)",
                    "_traceable[0] = True",
                ),
            ],
            f"{EACH}steps_as_a_graph_give_what_they_give_eagerly[recurrent]": [
                (
                    "pairs: two graphs are never alike",
                    'return re.sub(r"_[0-9]+|CustomGradient-[0-9]+", "", text)',
                    "return text",
                ),
            ],
            f"{EACH}steps_as_a_graph_give_what_they_give_eagerly[an if]": [
                (
                    "pairs: a step that can't be traced is tried in each run",
                    "eagerly = self._steps <= EAGER_STEPS or _traceable[0] is False",
                    "eagerly = self._steps <= EAGER_STEPS",
                ),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/pair/watch.py",
        {
            f"{DROPS}[1-tf.nn.dropout]": [
                (
                    "pairs: a function of TensorFlow's drops",
                    'for prefix, module in {"keras.random": keras.random, "tf.nn": tf.nn}.items():',
                    'for prefix, module in {"keras.random": keras.random}.items():',
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/pair_words.py",
        {
            f"{LANGUAGES}no_words_are_left_in_english[different]": [
                (
                    "pairs: what is put together for the verdict can't be said in another language",
                    'said = join(say("; "), _different(diagnosis))',
                    'said = "; ".join(_different(diagnosis))',
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/description.py",
        {
            f"{LANGUAGES}no_words_are_left_in_english[different]": [
                (
                    "pairs: what a process tells in words stays in English",
                    "    if told.startswith(ACTIVATION):",
                    "    if False:",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/pair_report.py",
        {
            f"{LANGUAGES}the_terminal_is_told_in_its_language": [
                (
                    "pairs: the terminal is told in English whatever its language",
                    "escaping.one_line(translated(line, language)) for line",
                    "escaping.one_line(line) for line",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/serving.py",
        {
            f"{EACH}the_first_run_of_a_file_gives_what_all_give": [
                (
                    "pairs: a run that starts again counts on",
                    "            self.module = import_file(self.asked.file)\n        taken",
                    "            pass\n        taken",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/update_guesses.py",
        {
            "tests/pairs/test_update_guesses.py::test_what_the_table_says_of_a_formula_has_its_chinese[adam]": [
                ("pairs: words of the table stay English", 'say("after the bias correction"),', ""),
            ],
            f"{DIAGNOSED}running_variances_that_differ_are_one_cause[all]": [
                (
                    "pairs: each running variance is a cause of its own",
                    "for some in ([*norms.values()], one) if one and len(norms) > 1 else (one,):",
                    "for some in (one,):",
                ),
            ],
            f"{DIAGNOSED}running_variances_that_differ_are_one_cause[one]": [
                (
                    "pairs: running variances that agree are causes too",
                    "for some in ([*norms.values()], one) if one and len(norms) > 1 else (one,):",
                    "for some in ([*norms.values()],):",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/command.py",
        {
            f"{COMMAND}numbers_that_are_not_finite_are_no_agreement[{what}]": [
                (f"pairs: {what} may be infinite", *change)
            ]
            for what, change in {
                "gradients": ("if lost and lost.stage == GRADIENTS:", "if False:"),
                "weights after the last step": ("        if lost:\n", "        if False:\n"),
                "losses, in the end": ("if not finite.all():", "if False:"),
                "gradients of one side in float32": (
                    "in found.precisions.items():",
                    "in [*found.precisions.items()][:1]:",
                ),
            }.items()
        },
    ),
    *in_file(
        "tensorflow_impl/pair/optimizer_edits.py",
        {
            f"{DIAGNOSED}clipping_is_done_as_pytorch_does_it_and_named_where_that_mends_it[{how}]": [
                (f"pairs: clipping of {how} is not tried", *change)
            ]
            for how, change in {
                "value, in PyTorch alone": ("limit, each, value\n", "limit, each, None\n"),
                "each": ("limit, each, value\n", "limit, None, value\n"),
                "the largest": ("float(norm_type)", "2.0"),
            }.items()
        },
    ),
]
