# Runs the demo, the whole method on a toy corpus:  docker build -t dfwe . && docker run --rm dfwe
# Other commands:  docker run --rm -v "$PWD/outputs:/work/outputs" dfwe dfwe +target=meld merge=ties
FROM python:3.11-slim

WORKDIR /src
COPY constraints.txt pyproject.toml setup.py README.md LICENSE ./
COPY dfwe dfwe
COPY conf conf

# --build-arg TORCH_INDEX=...: PyTorch's index of CPU wheels, which spares gigabytes of CUDA packages
ARG TORCH_INDEX=""
RUN PIP_EXTRA_INDEX_URL="${TORCH_INDEX}" pip install --no-cache-dir -c constraints.txt torch \
    && pip install --no-cache-dir -c constraints.txt . \
    && useradd --uid 1000 --create-home dfwe \
    && mkdir /work \
    && chown dfwe /work

USER 1000
WORKDIR /work
CMD ["dfwe", "+target=meld", "merge=nelder_mead"]
