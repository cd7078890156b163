"""beam_search against transformers' generate and against the enumeration of all texts."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from florence.models.seq2seq import BeamSettings, beam_search

END, START = 2, 0


class WholePrefixes:
    """A StepDecoder that keeps the tokens and calls `logits_of(items, tokens (N, T)) -> (N, V)` on all of them each time."""

    def __init__(self, logits_of, num_items: int) -> None:
        self.logits_of, self.items, self.tokens, self.sizes = logits_of, torch.arange(num_items), None, []

    def step(self, tokens: Tensor) -> Tensor:
        self.tokens = tokens if self.tokens is None else torch.cat([self.tokens, tokens], 2)
        num_items, num_beams, _ = self.tokens.shape
        self.sizes.append((num_items, num_beams))
        items = self.items.repeat_interleave(num_beams)
        return self.logits_of(items, self.tokens.flatten(0, 1)).view(num_items, num_beams, -1)

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        if items is not None:
            self.items, self.tokens = self.items[items], self.tokens[items]
        self.tokens = self.tokens.gather(1, beams[..., None].expand(-1, -1, self.tokens.shape[2]))


def random_model(vocab_size: int, seed: int = 0, sharpness: float = 1.5):
    """Logits that depend on the item and the whole prefix."""

    def logits_of(items: Tensor, tokens: Tensor) -> Tensor:
        rows = []
        for item, prefix in zip(items.tolist(), tokens.tolist(), strict=True):
            generator = torch.Generator().manual_seed(hash((seed, item, *prefix)) % 2**31)
            rows.append(sharpness * torch.randn(vocab_size, generator=generator, dtype=torch.float64))
        return torch.stack(rows)

    return logits_of


def search(logits_of, num_items=1, **settings):
    decoder = WholePrefixes(logits_of, num_items)
    prompt = torch.full((num_items, 1), START)
    return beam_search(decoder, prompt, end_id=END, settings=BeamSettings(**settings))


def enumerate_texts(logits_of, vocab_size, item, max_new, min_new, length_penalty):
    """Every text with its score, best first, from its own probabilities."""
    texts = []
    for length in range(1, max_new + 1):
        for tokens in itertools.product(range(vocab_size), repeat=length):
            if END in tokens[:-1] or (tokens[-1] != END and length < max_new) or (tokens[-1] == END and length - 1 < min_new):
                continue
            score = 0.0
            for index, token in enumerate(tokens):
                prefix = torch.tensor([[START, *tokens[:index]]])
                score += logits_of(torch.tensor([item]), prefix)[0].log_softmax(0)[token].item()
            texts.append((score / length**length_penalty, tokens[: -1 if tokens[-1] == END else None]))
    return sorted(texts, reverse=True)


@pytest.mark.parametrize(('length_penalty', 'min_new'), [(0.0, 0), (1.0, 0), (2.0, 1), (-0.5, 2)])
def test_wide_beams_find_what_enumeration_finds(length_penalty, min_new):
    model = random_model(3)
    for item in range(2):
        wanted = enumerate_texts(model, 3, item, 4, min_new, length_penalty)
        settings = dict(num_beams=3**4, max_new_tokens=4, min_new_tokens=min_new, length_penalty=length_penalty)
        found = search(model, num_items=2, **settings)[item]
        assert [hypothesis.tokens for hypothesis in found] == [tokens for _, tokens in wanted]
        assert [hypothesis.score for hypothesis in found] == pytest.approx([score for score, _ in wanted], abs=1e-6)


def test_one_beam_takes_the_best_token_each_time():
    model = random_model(6, seed=3)
    for item in range(8):
        tokens: list[int] = []
        while len(tokens) < 10:
            best = int(model(torch.tensor([item]), torch.tensor([[START, *tokens]])).argmax())
            tokens.append(best)
            if best == END:
                break
        (hypothesis,) = search(model, num_items=8, num_beams=1, max_new_tokens=10)[item]
        assert [*hypothesis.tokens, *[END] * hypothesis.is_ended] == tokens


def test_a_batch_equals_its_items_one_by_one_and_finished_items_leave():
    model = random_model(12, seed=5, sharpness=3)
    decoder = WholePrefixes(model, 8)
    settings = BeamSettings(num_beams=3, max_new_tokens=12)
    together = beam_search(decoder, torch.full((8, 1), START), end_id=END, settings=settings)
    for item in range(8):

        def only(items, tokens, item=item):
            return model(items + item, tokens)

        (alone,) = search(only, num_beams=3, max_new_tokens=12)
        assert together[item] == alone
    assert len({len(hypotheses[0].tokens) for hypotheses in together}) > 1, 'texts of one length prove nothing'
    assert decoder.sizes[0] == (8, 1) and decoder.sizes[-1][0] < 8
    assert decoder.sizes == sorted(decoder.sizes[:1]) + sorted(decoder.sizes[1:], reverse=True)


def test_equal_scores_are_ordered_by_beam_and_token():
    (hypotheses,) = search(lambda items, tokens: torch.zeros(len(tokens), 4), num_beams=3, max_new_tokens=2, length_penalty=0.0)
    assert [hypothesis.tokens for hypothesis in hypotheses] == [(), (0, 0), (0, 1)]
    assert [hypothesis.is_ended for hypothesis in hypotheses] == [True, False, False]
    assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx([-math.log(4)] + [-2 * math.log(4)] * 2)


def test_suppressed_tokens_do_not_occur():
    decoder = WholePrefixes(random_model(8), 4)
    settings = BeamSettings(num_beams=4, max_new_tokens=8)
    results = beam_search(decoder, torch.full((4, 1), START), end_id=END, settings=settings, suppressed=torch.tensor([0, 1, 5]))
    used = {token for hypotheses in results for hypothesis in hypotheses for token in hypothesis.tokens}
    assert used == {3, 4, 6, 7}


@pytest.mark.parametrize('num_beams', [1, 3])
def test_scores_of_tokens_are_those_of_the_model_and_sum_to_the_score(num_beams):
    model = random_model(7, seed=2)
    settings = dict(num_beams=num_beams, max_new_tokens=9, length_penalty=0.7)
    for item, hypotheses in enumerate(search(model, num_items=4, **settings)):
        for found in hypotheses:
            tokens = [*found.tokens, *[END] * found.is_ended]
            prefixes = [torch.tensor([[START, *tokens[:index]]]) for index in range(len(tokens))]
            wanted = [
                model(torch.tensor([item]), prefix)[0].log_softmax(0)[token].item()
                for prefix, token in zip(prefixes, tokens, strict=True)
            ]
            assert found.log_probs == pytest.approx(wanted, abs=1e-6)
            assert found.score == pytest.approx(sum(wanted) / len(wanted) ** 0.7, abs=1e-6)


def test_forced_tokens_cost_no_step_and_a_forced_end_is_none_of_the_model():
    decoder = WholePrefixes(random_model(6), 2)
    options = dict(end_id=END, forced_first_id=4, end_is_forced=True, suppressed=torch.tensor([END]))
    results = beam_search(decoder, torch.full((2, 1), START), settings=BeamSettings(num_beams=3, max_new_tokens=5), **options)
    assert len(decoder.sizes) == 3
    for hypothesis in itertools.chain(*results):
        assert len(hypothesis.tokens) == 4 and hypothesis.tokens[0] == 4 and not hypothesis.is_ended
        assert len(hypothesis.log_probs) == 5 and hypothesis.log_probs[0] == hypothesis.log_probs[-1] == 0
    with pytest.raises(ValueError, match='max_new_tokens=2 must exceed the 2 tokens that are forced'):
        beam_search(decoder, torch.full((2, 1), START), settings=BeamSettings(max_new_tokens=2), **options)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match='not numbers'):
        search(lambda items, tokens: torch.full((len(tokens), 5), torch.nan))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(num_beams=0), 'num_beams must be at least 1'),
        (dict(max_new_tokens=5, min_new_tokens=5), 'must be below max_new_tokens=5'),
        (dict(repetition_penalty=0.0), 'must be positive'),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BeamSettings(**settings)


@pytest.fixture(scope='module')
def bart():
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=40, d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, init_std=0.35, bos_token_id=0, pad_token_id=1, eos_token_id=END,
        decoder_start_token_id=START, forced_eos_token_id=None,
    )  # fmt: skip
    model = BartForConditionalGeneration(config).eval()
    model.final_logits_bias[0, END] = 3.0  # else random texts hardly end
    return model


@pytest.mark.parametrize('is_forced', [False, True], ids=['free', 'forced'])
@pytest.mark.parametrize(
    'settings',
    [
        dict(num_beams=1),
        dict(num_beams=1, no_repeat_ngram_size=2),
        dict(num_beams=4),
        dict(num_beams=5, length_penalty=2.0, min_new_tokens=3),
        dict(num_beams=3, length_penalty=-1.0),
        dict(num_beams=4, repetition_penalty=1.4),
        dict(num_beams=4, no_repeat_ngram_size=2),
        dict(num_beams=3, early_stopping=True, no_repeat_ngram_size=3),
    ],
    ids=str,
)
def test_equals_generate_of_transformers(bart, settings, is_forced):
    inputs = torch.randint(3, 40, (16, 5))
    settings = dict(max_new_tokens=14, **settings)
    forced = dict(forced_bos_token_id=7, forced_eos_token_id=END) if is_forced else {}
    generated = bart.generate(
        inputs, do_sample=False, return_dict_in_generate=True, output_scores=True, **forced, **settings
    )  # fmt: skip
    transitions = bart.compute_transition_scores(
        generated.sequences, generated.scores, generated.get('beam_indices'), normalize_logits=settings['num_beams'] == 1
    )
    memory = bart.model.encoder(inputs).last_hidden_state

    @torch.no_grad()
    def logits_of(items, tokens):
        return bart(encoder_outputs=(memory[items],), decoder_input_ids=tokens).logits[:, -1]

    found = beam_search(
        WholePrefixes(logits_of, 16), torch.full((16, 1), START), end_id=END, settings=BeamSettings(**settings),
        forced_first_id=7 if is_forced else None, end_is_forced=is_forced,
    )  # fmt: skip
    for row, of_tokens, (best, *_) in zip(generated.sequences.tolist(), transitions, found, strict=True):
        tokens = row[1:]
        tokens = tokens[: tokens.index(END)] if END in tokens else tokens
        assert list(best.tokens) == tokens
        wanted = of_tokens[: len(best.log_probs)]
        if settings['num_beams'] > 1 or not settings.get('no_repeat_ngram_size'):  # else those of transformers leave tokens out
            torch.testing.assert_close(torch.tensor(best.log_probs), wanted, atol=1e-5, rtol=1e-5)
    if settings['num_beams'] > 1:
        scores = torch.tensor([hypotheses[0].score for hypotheses in found])
        torch.testing.assert_close(scores, generated.sequences_scores, atol=1e-5, rtol=1e-5)
    lengths = {len(hypotheses[0].tokens) for hypotheses in found}
    assert len(lengths) > 1, 'texts of one length prove little'
