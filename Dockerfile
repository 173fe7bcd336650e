# syntax=docker/dockerfile:1

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ENV CGO_ENABLED=0
# The empty directory becomes the volume's, which takes its owner from it.
RUN mkdir -p dist/data && \
    go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o dist/latentdb ./cmd/latentdb

FROM scratch
COPY --from=build /src/dist/latentdb /latentdb
COPY --from=build --chown=65532:65532 /src/dist/data /data
USER 65532:65532
WORKDIR /data
# Other machines can reach this address, so serve asks for LATENTDB_API_KEY.
# The image has no other place for temporary files than the volume.
ENV LATENTDB_DATA=/data \
    LATENTDB_LISTEN=0.0.0.0:6333 \
    TMPDIR=/data
VOLUME /data
EXPOSE 6333
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/latentdb", "health"]
ENTRYPOINT ["/latentdb"]
CMD ["serve"]
