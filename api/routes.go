package api

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// Routes of streams and of long waits, which bound treats apart.
const (
	importRoute = "/collections/:c/import"
	exportRoute = "/collections/:c/export"
	fitRoute    = "/collections/:c/fit"
	sampleRoute = "/collections/:c/points/sample"
)

// questions are those about all points, whose answers may be streams.
var questions = map[string]collectionHandler{
	"/collections/:c/points/outliers":    outliers,
	"/collections/:c/points/duplicates":  duplicates,
	"/collections/:c/points/deduplicate": deduplicate,
}

// collectionHandler answers a request about one collection with the result to
// put in the envelope.
type collectionHandler func(c echo.Context, coll *store.Collection) (any, error)

func (s *Server) routes() {
	e := s.echo
	e.GET("/", s.root)
	e.GET("/healthz", plain("healthz check passed"))
	e.GET("/livez", plain("livez check passed"))
	e.GET("/readyz", plain("all shards are ready"))
	e.GET("/metrics", s.serveMetrics)

	e.GET("/collections", s.listCollections)
	e.PUT("/collections/:c", s.createCollection)
	e.DELETE("/collections/:c", s.dropCollection)
	e.GET("/collections/:c/exists", s.collectionExists)
	e.GET(exportRoute, s.export)
	e.GET(fitRoute, s.fitStatus)
	e.POST(fitRoute, s.startFit)

	for _, r := range []struct {
		method, path string
		handle       collectionHandler
	}{
		{http.MethodGet, "", describeCollection},
		{http.MethodPatch, "", updateCollection},
		{http.MethodPut, "/points", upsertPoints},
		{http.MethodPost, "/points", retrievePoints},
		{http.MethodGet, "/points/:id", getPoint},
		{http.MethodPost, "/points/delete", deletePoints},
		{http.MethodPost, "/points/payload", setPayload},
		{http.MethodPut, "/points/payload", overwritePayload},
		{http.MethodPost, "/points/payload/delete", deletePayloadKeys},
		{http.MethodPost, "/points/payload/clear", clearPayload},
		{http.MethodPost, "/points/scroll", scrollPoints},
		{http.MethodPost, "/points/count", countPoints},
		{http.MethodPost, "/points/query", queryPoints},
		{http.MethodPost, "/points/query/batch", queryBatch},
		{http.MethodPost, "/points/search", searchPoints},
		{http.MethodPost, "/points/search/batch", searchBatch},
		{http.MethodPost, "/points/reconstruct", reconstruct},
		{http.MethodPost, "/points/deduplicate/undo", undoDeduplicate},
		{http.MethodPost, "/points/pairs", pairScores},
		{http.MethodPost, "/points/sample", sample},
		{http.MethodPost, "/points/predict", predict},
		{http.MethodPost, "/points/interpolate", interpolate},
		{http.MethodPut, "/index", createPayloadIndex},
		{http.MethodDelete, "/index/:field", deletePayloadIndex},
		{http.MethodDelete, "/fit", cancelFit},
		{http.MethodGet, "/models", listModels},
		{http.MethodPost, "/models/:generation/activate", activateModel},
		{http.MethodGet, "/quality", quality},
		{http.MethodGet, "/map", mapOf},
		{http.MethodPost, "/encode", encode},
		{http.MethodPost, "/decode", decode},
		{http.MethodPost, "/import", s.importPoints},
	} {
		e.Add(r.method, "/collections/:c"+r.path, s.scoped(r.handle))
	}
	for path, handle := range questions {
		e.POST(path, s.streamed(handle))
	}
	for _, r := range unsupported {
		e.Add(r.method, r.path, refuseRoute)
	}
}

// unsupported are routes of the dialect that this server does not have. They
// are listed because the router would call most of them a wrong method, and so
// that a client learns that it is not the path that is wrong.
var unsupported = []struct{ method, path string }{
	{http.MethodGet, "/aliases"},
	{http.MethodGet, "/collections/:c/aliases"},
	{http.MethodPost, "/collections/aliases"},
	{http.MethodPost, "/collections/:c/facet"},
	{http.MethodGet, "/collections/:c/snapshots"},
	{http.MethodPost, "/collections/:c/snapshots"},
	{http.MethodGet, "/collections/:c/snapshots/:name"},
	{http.MethodDelete, "/collections/:c/snapshots/:name"},
	{http.MethodPut, "/collections/:c/snapshots/recover"},
	{http.MethodPost, "/collections/:c/snapshots/upload"},
	{http.MethodGet, "/snapshots"},
	{http.MethodPost, "/snapshots"},
	{http.MethodGet, "/snapshots/:name"},
	{http.MethodDelete, "/snapshots/:name"},
	{http.MethodPut, "/collections/:c/points/vectors"},
	{http.MethodPost, "/collections/:c/points/vectors/delete"},
	{http.MethodPost, "/collections/:c/points/batch"},
	{http.MethodPost, "/collections/:c/points/query/groups"},
	{http.MethodPost, "/collections/:c/points/search/groups"},
	{http.MethodPost, "/collections/:c/points/search/matrix/pairs"},
	{http.MethodPost, "/collections/:c/points/search/matrix/offsets"},
	{http.MethodPost, "/collections/:c/points/recommend"},
	{http.MethodPost, "/collections/:c/points/recommend/batch"},
	{http.MethodPost, "/collections/:c/points/recommend/groups"},
	{http.MethodPost, "/collections/:c/points/discover"},
	{http.MethodPost, "/collections/:c/points/discover/batch"},
}

func refuseRoute(c echo.Context) error {
	return badRequest("%s %s is not supported by this server", c.Request().Method, c.Request().URL.Path)
}

func plain(text string) echo.HandlerFunc {
	return func(c echo.Context) error { return c.String(http.StatusOK, text) }
}

// root is the one JSON answer without an envelope: clients read the version
// of the server from it.
func (s *Server) root(c echo.Context) error {
	return writeJSON(c, http.StatusOK, struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	}{"LatentDB", s.cfg.Version})
}

// scoped puts the result of a handler about a collection in the envelope.
func (s *Server) scoped(handle collectionHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		result, err := s.ask(c, handle)
		if err != nil {
			return err
		}
		return writeResult(c, http.StatusOK, result)
	}
}

// ask has a handler answer about the collection that a path names.
func (s *Server) ask(c echo.Context, handle collectionHandler) (any, error) {
	coll, err := s.collection(c)
	if err != nil {
		return nil, err
	}
	result, err := handle(c, coll)
	if errors.Is(err, store.ErrClosed) {
		// It may have been dropped meanwhile; then it is simply not there.
		if _, gone := s.collection(c); gone != nil {
			return nil, gone
		}
	}
	return result, err
}

func (s *Server) collection(c echo.Context) (*store.Collection, error) {
	name, err := pathParam(c, "c")
	if err != nil {
		return nil, err
	}
	coll, err := s.db.Collection(name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fail(http.StatusNotFound, "Not found: Collection `%s` doesn't exist!", name)
	}
	return coll, err
}

// pathParam undoes the escapes of a path's part, which the router leaves in
// wherever the path has some that matter.
func pathParam(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value, nil
	}
	value, err := url.PathUnescape(value)
	if err != nil {
		return "", badRequest("path: %v", err)
	}
	return value, nil
}
