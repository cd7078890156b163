"""CLIP's templates of actions, in its wording and number."""

from florence.tasks.templates import get_templates


def test_the_published_sets():
    kinetics, ucf101 = get_templates('kinetics'), get_templates('ucf101')
    assert len(set(kinetics)) == 28 and len(set(ucf101)) == 48
    assert kinetics[:3] == ('a photo of {}.', 'a photo of a person {}.', 'a photo of a person using {}.')
    assert kinetics[-1] == 'a demonstration of a person practicing {}.' and 'a example of {}.' in kinetics
    assert ucf101[:2] == ('a photo of a person {}.', 'a video of a person {}.')
    assert ucf101[-1] == 'a demonstration of the person practicing {}.' and 'a {}.' not in ucf101
