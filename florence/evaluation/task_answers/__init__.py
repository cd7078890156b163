"""How answers of Florence-2 are measured, task by task (arXiv 2311.06242, section 5).

A task names its scorer (`Florence2Task.metric`): a function from all answers of an evaluation to figures. `register_scorer` makes
one of a user's known.
"""

from florence.evaluation.task_answers.answer import TaskAnswer
from florence.evaluation.task_answers.scorers import get_scorer, register_scorer

__all__ = ['TaskAnswer', 'get_scorer', 'register_scorer']
