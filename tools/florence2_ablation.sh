#!/usr/bin/env bash
# What pretraining has to know, and whether the image tower has to learn, on digit scenes: bash tools/florence2_ablation.sh
# Trains the runs of configs/florence2/ablation, one after another (again after a kill: what is finished ends at once), evaluates
# the four tasks that each has been transferred to, and prints the table. FLORENCE_RANKS is the number of ranks (default 2).
set -euo pipefail
folder=configs/florence2/ablation
runs=(brief-texts image-level region-level pixel-level
    transfer-image-level transfer-region-level transfer-pixel-level transfer-image-level-frozen transfer-pixel-level-frozen)
runs=("${runs[@]/#/florence2-nano_}")
configs=("${runs[@]/#/$folder/}")
FLORENCE_RANKS=${FLORENCE_RANKS:-2} bash tools/train_phases.sh "${configs[@]/%/.py}"
tables=()
for run in "${runs[@]:4}"; do
    figures=work_dirs/$run/metrics.json
    tables+=("$figures")
    [ -f "$figures" ] ||
        "${PYTHON:-python}" tools/test.py "$folder/$run.py" "$(cat "work_dirs/$run/last_checkpoint")" --out "$figures"
done
"${PYTHON:-python}" tools/analysis_tools/result_table.py "${tables[@]}" --metrics \
    detection/OD/mAP detection/OD/mAP_50 grounding/CAPTION_TO_PHRASE_GROUNDING/R@1 \
    segmentation/REFERRING_EXPRESSION_SEGMENTATION/mIoU caption/DETAILED_CAPTION/CIDEr
