# The first phase of the ablation: brief captions and OCR; grounds, sizes and questions are left for what follows to learn.
#   bash tools/florence2_ablation.sh
_base_ = '../florence2-nano_7min-texts_digits.py'
brief_texts = {'<CAPTION>': 1, '<OCR>': 1}
draw = dict(type='DrawTasks', tasks=brief_texts, num_tasks=1, options=_base_.options)
train_dataloader = dict(dataset=dict(pipeline=[draw, dict(type='PackImageText')]))
