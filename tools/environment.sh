# Sourced by quickstart.sh and run_tests.sh: makes the virtual environment once and installs this checkout with some extras.
# $FLORENCE_VENV names its folder (default .venv); $PYTHON the interpreter it is made with. Uses uv if present, pip otherwise.

prepare_environment() { # arguments: extras, such as tests,data
    local root venv stamp wanted
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    venv=${FLORENCE_VENV:-$root/.venv}
    export PYTHON_ENV="$venv/bin/python"
    [ -x "$PYTHON_ENV" ] || "${PYTHON:-python3}" -m venv "$venv"
    stamp="$venv/.florence-installed"
    wanted="$1 $(cat "$root"/setup.py "$root"/requirements/*.txt | cksum)"
    if ! grep -qsxF "$wanted" "$stamp"; then
        echo "installing into $venv ($1) ..."
        local extras=${1:+[$1]} constraints="$root/requirements/constraints.txt"
        if ! command -v uv >/dev/null 2>&1 && [ ! -x "$venv/bin/uv" ]; then
            "$PYTHON_ENV" -m pip install --quiet uv || true
        fi
        local uv
        uv=$(command -v uv || echo "$venv/bin/uv")
        if [ -x "$uv" ]; then
            "$uv" pip install --quiet --python "$PYTHON_ENV" -c "$constraints" -e "$root$extras"
        else
            "$PYTHON_ENV" -m pip install --quiet -c "$constraints" -e "$root$extras"
        fi
        printf '%s\n' "$wanted" >>"$stamp"
    fi
    # Ranks, loader workers and tests share the cores: one thread each, and no busy waiting.
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
    export DS_ACCELERATOR=${DS_ACCELERATOR:-$("$PYTHON_ENV" -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')}
}
