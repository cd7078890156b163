"""Metrics as plain functions of tensors and arrays."""

from florence.evaluation.functional.accuracy import mean_per_class_accuracy, rank_of_target, topk_accuracy
from florence.evaluation.functional.mean_ap import average_precision, multi_label_ap
from florence.evaluation.functional.retrieval import (
    RetrievalRanks,
    fold_ranks,
    mean_rank,
    median_rank,
    recall_at_k,
    retrieval_ranks,
    score_ranks,
)
from florence.evaluation.functional.vqa_accuracy import JudgedQuestion, question_accuracy, vqa_figures

__all__ = [
    'JudgedQuestion',
    'RetrievalRanks',
    'average_precision',
    'fold_ranks',
    'mean_per_class_accuracy',
    'mean_rank',
    'median_rank',
    'multi_label_ap',
    'question_accuracy',
    'rank_of_target',
    'recall_at_k',
    'retrieval_ranks',
    'score_ranks',
    'topk_accuracy',
    'vqa_figures',
]
