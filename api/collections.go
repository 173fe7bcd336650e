package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// Figures of Qdrant's that clients insist on reading and that describe nothing
// here: Qdrant's own defaults.
const (
	fullScanThreshold = 10_000
	deletedThreshold  = 0.2
	vacuumMinVectors  = 1000
	flushIntervalSec  = 5
	walCapacityMB     = 32
)

type object = map[string]any

func (s *Server) listCollections(c echo.Context) error {
	names := s.db.Collections()
	list := make([]object, len(names))
	for i, name := range names {
		list[i] = object{"name": name}
	}
	return writeResult(c, http.StatusOK, object{"collections": list})
}

func (s *Server) collectionExists(c echo.Context) error {
	name, err := pathParam(c, "c")
	if err != nil {
		return err
	}
	_, err = s.db.Collection(name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return writeResult(c, http.StatusOK, object{"exists": err == nil})
}

func (s *Server) createCollection(c echo.Context) error {
	name, err := pathParam(c, "c")
	if err != nil {
		return err
	}
	var body createBody
	if err := readLenient(c, &body); err != nil {
		return err
	}
	cfg, err := body.settings()
	if err != nil {
		return err
	}
	_, err = s.db.CreateCollection(c.Request().Context(), name, cfg.Config)
	if errors.Is(err, store.ErrExists) {
		return fail(http.StatusConflict, "Wrong input: Collection `%s` already exists!", name)
	}
	if err != nil {
		return cfg.locate(err)
	}
	return writeResult(c, http.StatusOK, true)
}

// dropCollection answers false, not an error, where there is nothing to drop,
// as Qdrant does: clients drop before they create.
func (s *Server) dropCollection(c echo.Context) error {
	name, err := pathParam(c, "c")
	if err != nil {
		return err
	}
	err = s.db.DropCollection(c.Request().Context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return writeResult(c, http.StatusOK, err == nil)
}

// updateCollection takes Qdrant's tuning parameters. None of them has a
// counterpart here, so that the collection stays as it is. What has one is refused: it is
// decided when a collection is made.
func updateCollection(c echo.Context, _ *store.Collection) (any, error) {
	var body struct {
		Latent json.RawMessage `json:"latent"`
	}
	if err := readLenient(c, &body); err != nil {
		return nil, err
	}
	if body.Latent != nil {
		return nil, badRequest("latent: is decided when a collection is made, and cannot be changed")
	}
	return true, nil
}

func describeCollection(c echo.Context, coll *store.Collection) (any, error) {
	info, err := coll.Info(c.Request().Context())
	if err != nil {
		return nil, err
	}
	latent, err := describeLatent(coll, info)
	if err != nil {
		return nil, err
	}
	status := "green"
	if info.Fit.State == store.FitRunning || info.Indexed < info.Points || !ready(info.PayloadIndexes) {
		status = "yellow"
	}
	return object{
		"status":                status,
		"optimizer_status":      "ok",
		"points_count":          info.Points,
		"vectors_count":         info.Points,
		"indexed_vectors_count": info.Indexed,
		"segments_count":        1,
		"payload_schema":        payloadSchema(info.PayloadIndexes),
		"config":                describeConfig(info),
		"latent":                latent,
	}, nil
}

// describeConfig is the part of a collection's description that Qdrant's
// clients read. The size is that of the input: they check what they send.
func describeConfig(info store.Info) object {
	size := info.Features
	if v, ok := info.Config.Source.(source.Vector); ok && v.Size > 0 {
		size = v.Size
	}
	return object{
		"params": object{
			"vectors":                  object{"size": size, "distance": distanceName(info.Config.Metric)},
			"shard_number":             1,
			"replication_factor":       1,
			"write_consistency_factor": 1,
			"on_disk_payload":          true,
		},
		"hnsw_config": object{
			"m":                   info.Config.M,
			"ef_construct":        info.Config.EfConstruct,
			"full_scan_threshold": fullScanThreshold,
		},
		"optimizer_config": object{
			"deleted_threshold":        deletedThreshold,
			"vacuum_min_vector_number": vacuumMinVectors,
			"default_segment_number":   1,
			"flush_interval_sec":       flushIntervalSec,
		},
		"wal_config": object{
			"wal_capacity_mb":    walCapacityMB,
			"wal_segments_ahead": 0,
		},
	}
}
