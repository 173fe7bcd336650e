// Package api answers REST requests from a [store.DB]. It speaks Qdrant's
// dialect for the routes listed below, so that its clients work on those
// unchanged, and the same envelope for the rest. It knows nothing of files, models or indexes.
//
// An answer is {"result": …, "status": "ok", "time": seconds}, or
// {"status": {"error": "…"}, "time": seconds} with status 400 for bad input,
// 404 for what is not there, 408 for a body that stopped coming, 409 for a name
// in use or a fit that runs already, 413 for too large a body, 415 for a content
// type or encoding that is not taken, 503 while the database takes no writes,
// 504 after the timeout, 507 when the disk is full, and 500, without particulars, for anything else.
// Refusals of a missing or wrong key (401) and of other sites' pages (403) are
// plain text. A server without a key that is reached over the loopback
// interface takes only requests whose Host is localhost or a loopback address:
// a page may have its own name lead there.
//
// Routes of Qdrant's, under /collections/{c} where a path begins with "…":
//
//	GET    /                        title and version, without envelope
//	GET    /healthz /livez /readyz  plain text; need no key, as GET /
//	GET    /metrics                 Prometheus text
//	GET    /collections             all names
//	GET    …/exists                 {"exists": bool}
//	GET    …                        status, counts, configuration, "latent" block
//	PUT    …                        create: {"vectors": {"size", "distance"}}, "latent" or both
//	PATCH  …                        takes tuning parameters, which change nothing; "latent" is refused
//	DELETE …                        drop; false if there was nothing
//	PUT    …/index                  index a payload key: {"field_name", "field_schema": "keyword" |
//	                                "uuid" | "integer" | "float" | "bool", or {"type"}}
//	DELETE …/index/{field_name}     give an index up
//	PUT    …/points                 upsert {"points": [{"id", "vector" | "record", "payload"}]}
//	                                or {"batch": {"ids", "vectors" | "records", "payloads"}}
//	POST   …/points                 retrieve {"ids", "with_payload", "with_vector", "with_record"}
//	GET    …/points/{id}            one point; digits are a number
//	POST   …/points/delete          {"points": ids} or {"filter"}
//	POST   …/points/payload         set {"payload", "points" | "filter"}
//	PUT    …/points/payload         overwrite, likewise
//	POST   …/points/payload/delete  {"keys", "points" | "filter"}
//	POST   …/points/payload/clear   {"points" | "filter"}
//	POST   …/points/scroll          {"limit", "offset", "filter", "with_…"}
//	POST   …/points/count           {"filter"}
//	POST   …/points/query           {"query": vector | id | {"nearest"} | {"record"}, "limit",
//	                                "offset", "filter", "score_threshold", "params", "with_…"}
//	POST   …/points/query/batch     {"searches": [query bodies]}
//	POST   …/points/search          {"vector", …}, and …/points/search/batch
//
// The params of a search are Qdrant's "hnsw_ef" and "exact", and "recall",
// "rerank", "space", "warp" (candidates are scored by time-warped distance: audio) and
// "explain", which adds "search" to the result, and in it
// how the filter was answered, and what work that was. Writes are on disk and visible
// when they are answered, unless wait=false in the query string or the body says not to wait;
// likewise an index is made. Filters mean the same before and without. Bodies
// ignore unknown fields, as Qdrant does, save within "filter" and "latent".
//
// Routes of our own, whose bodies refuse unknown fields:
//
//	POST   …/fit                           {"dim": n | "auto", "encoder", "epochs", "seed", "fine_tune", "wait"}
//	GET    …/fit                           progress in JSON, or as server-sent events
//	DELETE …/fit                           cancel; false if none ran
//	GET    …/models                        generations
//	POST   …/models/{generation}/activate  roll back or forward
//	GET    …/quality                       the active generation's report; with ?key= (&k= &as= &space=)
//	                                       how well that payload key is predicted
//	GET    …/map                           points in two dimensions, ?limit= of them
//	POST   …/encode                        {"records" | "vectors"}
//	POST   …/decode                        {"latents"}
//	POST   …/points/reconstruct            {"ids" | "records" | "vectors"}
//	POST   …/points/outliers               {"limit", "filter", "with_parts"}, or {"records" | "vectors"};
//	                                       as events too, see below
//	POST   …/points/duplicates             {"threshold", "filter", "between", "keep", "limit"}; keep is
//	                                       first, newest, longest, central or {"max": key}; as events too
//	POST   …/points/deduplicate            likewise, and "dry_run", "undo": false to keep nothing of what
//	                                       is removed; answers "undo", a number; as events too
//	POST   …/points/deduplicate/undo       {"undo"}: puts back what the last deduplication removed, until
//	                                       another generation is active; answers "restored" and "skipped"
//	POST   …/points/pairs                  {"pairs": [[id, id]], "threshold", "filter", "between"}: how near
//	                                       pairs are as duplicates are measured; 100,000 at most
//	POST   …/points/sample                 {"n", "seed", "like": ids | filter}
//	POST   …/points/predict                {"key", "ids" | "records" | "vectors", "k", "as": "class" |
//	                                       "number", "space", "filter"}: the key's value by the nearest
//	POST   …/points/interpolate            {"from", "to", "steps"}: decoded records between two, each an
//	                                       id or {"record"}; 10 steps, ends included
//	POST   …/import                        JSON lines, CSV or lines of text, which stream, or a
//	                                       Parquet, zip or tar file, by Content-Type; ?id= ?payload=
//	                                       ?record= ?text= ?left= ?right= name columns, ?first_id= numbers rows
//	                                       without ids, ?batch= points become one change (500)
//	GET    …/export                        ?format= jsonl (default), csv, parquet, npy or zip
//
// Questions about all points may take minutes. With "Accept: text/event-stream" their answer
// is a stream of server-sent events, which no timeout bounds: "progress", {"stage", "done",
// "total"} in points, at most every 200 ms and only where there is news, and at last "result"
// or "error" with the envelope that the plain answer has. What fails before the first event
// has its status. A client that hangs up ends the work, whichever answer it waits for.
//
// A collection that learns is created with
//
//	{"latent": {"source": {"kind": "image", "width": 28, "height": 28}, "distance": "Euclid",
//	            "dim": "auto", "encoder": "auto", "engine": "auto", "rows": "auto",
//	            "keep_originals": true, "recall": 0.95, "auto_fit": {"enabled": true, "min_points": 1000, "drift": 1.5},
//	            "watch": {"field": "watch", "cut": 0.95}, "m": 16, "ef_construct": 200}}
//
// of which only the source is required. The distance goes with vector sources
// and may stand within the source as well. With "vectors" alone a collection
// takes vectors and first fits by itself at 10,000 points; "latent" beside it
// may leave the source out. "rows" is where the rows are that candidates are scored
// by: "ram", "half" or "disk"; "on_disk" of the vectors sets "disk" too. Records are lists of
// numbers (vector), base64 (image, audio), strings (text) or objects (table); of a pair,
// whose source is {"kind": "pair", "left": source, "right": source}, objects {"left",
// "right"} of which one may be missing.
//
// With "keep_originals": false the records are given up once the collection is fitted, and
// what is read or searched from then on is what their latents decode to; "shedding" tells
// whether some are still there. Such a collection is fitted once: another fit is refused
// with 409. It fits by itself only where "auto_fit" says so. Reconstructions of its
// points tell no parts, and "decoded" in "search" says how candidates were scored.
//
// With "watch" each point that is written is scored beside those that are there, and its
// payload gets {"score", "outlier"} under the field; without a cut the points suggest one.
// What an upsert brings under that key is dropped. By default nothing is watched.
//
// An imported row without an id takes that in its column "id"; what cannot be an
// id, or is missing where rows before have one, is an error of its row. Rows of a
// file that has no ids are numbered from first_id on; without it they are numbered
// from 1 into an empty collection, and refused by one that holds points, which
// they might replace. What a source leaves open, such as a table's columns, the
// first batch decides by its rows that can be taken.
//
// An import cuts recordings into windows where the source has such: each is a point whose
// id has the time, as in "talk.mp3#t=4,6", and whose payload has "recording", "start" and
// "end". Reconstructions of audio have a PNG, "spectrogram", beside the record.
package api
