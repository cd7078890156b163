"""The image-text-label triplet that travels from the data pipeline through the model to the metrics.

Florence (arXiv 2111.11432, section 2.2) trains on triplets (image, text, label), the label being the identity of the
description. One sample class serves pretraining, zero-shot classification and retrieval; each task fills its fields.
"""

from mmengine.structures import BaseDataElement


class ImageTextSample(BaseDataElement):
    """Annotations and predictions of one image with its text.

    Metainfo:
        sample_id: Name of the sample for messages and duplicates (file path, shard key or index), str.
        img_shape: `(H, W)` of the network input, pixels; `ori_shape` that of the file; `canvas_shape` that of a padded input in
            pixels of the file.
        img_path, image_id: Where the image lies, and its id in the data set, where there is one.
        filename, num_frames: Of a video: where it lies, and how many frames of the clip are its own, the others being padding.
        question_id, question_type, answer_type: Of a question about the image, as VQA's files name them.

    Training fields:
        text: Description that is encoded, str; a short one may have been expanded by a template.
        label: 63-bit hash of the description before templating, int; -1 = unlabelled, matches only itself.
        is_templated: Whether `text` was expanded by a template.
        answers: What each annotator answered to the question `text`, tuple of str; `answer_scores` the soft score in (0, 1] of
            each distinct answer, dict.
        prompt, target: What Florence-2 is asked, and what it is to answer, which may be empty, str with location tokens; of
            several about an image tuples, and `task` their tags, `references` all right answers of each, `truth` the regions that
            each is about (`florence.tasks.florence2.targets`).

    Evaluation fields:
        captions: Every description of the image (retrieval), tuple of str; `caption_ids` their ids, where there are some.
        classes, templates: Class names, tuple of str, and the name of the prompt-template set (zero-shot).
        gt_label: Class index, int (a class of the image, or of the sentence `text` about it); or `gt_labels`, tuple of int,
            where an image has several classes.

    Predictions:
        image_embeds: `(D,)` fp32, L2-normalised.
        text_embeds: `(K, D)` fp32, L2-normalised, one row per entry of `captions`.
        pred_scores: `(C,)` fp32 logits, cosine times the logit scale; `pred_label` is its arg max.
        pred_answer: The answer to the question, str; `pred_answers`, tuple of str, the best ones with `pred_answer_scores`,
            their probabilities, tuple of float.
        pred_caption: A description of the image, str, which may be empty; `pred_caption_score`, float: its log-probability over
            its length to the power of the length penalty.
        pred_texts: Florence-2's answer to each prompt, tuple of str with location tokens; `pred_tokens` ids of each, tuples of
            int; `pred_log_probs` their log-probabilities, tuples of float; `pred_spans` the characters of each token, tuples of
            pairs; `pred_scores` as `pred_caption_score`.
        num_masked, num_right, num_right_blank: Of the hidden tokens of `text`: how many, and how many were predicted with the
            image and with a blank one, int; `match_score`, `mismatch_score`: probability that it is about its own and about
            another image, float.
    """
