package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latentdb/latentdb/store"
)

// event is a server-sent event, read.
type event struct {
	name string
	data map[string]any
}

// asking is a request for an answer in events.
func asking(ctx context.Context, method, url, body string) *http.Request {
	req := httptest.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	req.RequestURI = "" // also for a client
	req.Header.Set("Accept", "text/event-stream")
	return req
}

// events reads a stream of server-sent events to its end, over a connection.
func (c *client) events(method, path, body string) []event {
	c.t.Helper()
	server := httptest.NewServer(c.handler)
	defer server.Close()
	resp, err := http.DefaultClient.Do(asking(c.t.Context(), method, server.URL+path, body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		c.t.Errorf("content type %q", got)
	}
	return readEvents(c.t, bufio.NewScanner(resp.Body))
}

func readEvents(t *testing.T, lines *bufio.Scanner) (events []event) {
	t.Helper()
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		if given, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			name = given
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			e := event{name: name}
			if err := json.Unmarshal([]byte(data), &e.data); err != nil {
				t.Fatal(err)
			}
			events, name = append(events, e), ""
		}
	}
	if len(events) == 0 {
		t.Fatal("no events")
	}
	return events
}

// wholeQuestions are those about all points, and what is asked; nothing is removed.
var wholeQuestions = map[string]string{
	"outliers": `{"limit":3}`, "duplicates": `{"threshold":0.1}`, "deduplicate": `{"dry_run":true,"threshold":0.1}`,
}

// A question's events are its progress and then the envelope of the plain answer.
func TestQuestionsTellProgress(t *testing.T) {
	for route, body := range wholeQuestions {
		c := newClient(t, Config{})
		c.fill("v", vectors(300, 4, 3))
		path := "/collections/v/points/" + route
		events := c.events("POST", path, body)
		last := events[len(events)-1]
		if len(events) < 2 || last.name != "result" || last.data["status"] != "ok" || last.data["time"] == nil {
			t.Fatalf("%s: events %v", route, events)
		}
		for _, e := range events[:len(events)-1] {
			done, known := e.data["done"].(float64)
			if e.name != "progress" || !known || done > 300 || e.data["total"] != 300.0 || e.data["stage"] == "" || len(e.data) != 3 {
				t.Errorf("%s: event before the last: %v", route, e)
			}
		}
		if plain := c.do("POST", path, body); !reflect.DeepEqual(last.data["result"], plain.value()) {
			t.Errorf("%s: result %v, want %s", route, last.data["result"], plain.body)
		} else if got := plain.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: without the header: content type %q", route, got)
		}
	}
}

// What is known already has no progress, and is an event all the same.
func TestKnownAnswerIsOneEvent(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(300, 4, 3))
	c.do("POST", "/collections/v/points/outliers", nil).result(nil)
	if events := c.events("POST", "/collections/v/points/outliers", ""); len(events) != 1 || events[0].name != "result" {
		t.Errorf("events %v", events)
	}
}

// askEvents asks for events without a connection.
func (c *client) askEvents(path, body string) (answer, []event) {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, asking(c.t.Context(), "POST", path, body))
	a := answer{c.t, "POST " + path, w.Code, w.Header(), w.Body.String()}
	if a.header.Get("Content-Type") != mimeEvents {
		return a, nil
	}
	return a, readEvents(c.t, bufio.NewScanner(w.Body))
}

// What is wrong from the beginning has its status, as without events.
func TestRefusalBeforeTheFirstEvent(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(30, 4, 3))
	for route := range wholeQuestions {
		refused, _ := c.askEvents("/collections/v/points/"+route, `{"treshold":1}`)
		refused.refused(400, `unknown field "treshold"`)
		refused, _ = c.askEvents("/collections/none/points/"+route, `{}`)
		refused.refused(404, "none")
	}
}

// Events take as long as the work does; the plain answer has to be there in time.
func TestEventsHaveNoTimeout(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(300, 4, 3))
	c.handler = New(c.db, Config{Timeout: time.Nanosecond}).Handler()
	for route, body := range wholeQuestions {
		c.do("POST", "/collections/v/points/"+route, body).refused(504, "longer")
		if _, events := c.askEvents("/collections/v/points/"+route, body); events[len(events)-1].name != "result" {
			t.Errorf("%s: events %v", route, events)
		}
	}
}

// work is a question of the test's own at POST /collections/v/work, asked with and without
// events.
func (c *client) work(handle collectionHandler) {
	c.t.Helper()
	c.fill("v", vectors(3, 2, 1))
	c.server.echo.POST("/collections/:c/work", c.server.streamed(handle))
}

// What fails on the way is the last event, and tells no more than a refusal does.
func TestFailureIsAnEvent(t *testing.T) {
	var log bytes.Buffer
	c := newClient(t, Config{Logger: logTo(&log)})
	var err error
	c.work(func(c echo.Context, _ *store.Collection) (any, error) {
		progressOf(c)(store.Progress{Stage: "search", Total: 7})
		return nil, err
	})
	for text, cause := range map[string]error{"a: is bad": badRequest("a: is bad"), internalText: errors.New("secret")} {
		err = cause
		_, events := c.askEvents("/collections/v/work", "")
		if len(events) != 2 || events[0].name != "progress" || events[0].data["total"] != 7.0 || events[1].name != "error" ||
			!reflect.DeepEqual(events[1].data["status"], map[string]any{"error": text}) || events[1].data["time"] == nil {
			t.Errorf("events %v, want the error %q", events, text)
		}
	}
	if !strings.Contains(log.String(), "secret") {
		t.Errorf("the cause is not in the log:\n%s", &log)
	}
}

func TestPanicCutsEventsShort(t *testing.T) {
	c := newClient(t, Config{})
	var work *followed
	c.work(func(c echo.Context, _ *store.Collection) (any, error) {
		work = c.Get(followedKey).(*followed)
		progressOf(c)(store.Progress{Stage: "search"})
		panic("broken")
	})
	if _, events := c.askEvents("/collections/v/work", ""); len(events) != 1 || events[0].name != "progress" {
		t.Errorf("events %v", events)
	}
	select {
	case <-work.ended:
	default:
		t.Error("its events are still sent")
	}
}

func TestNoEventIsSentTwice(t *testing.T) {
	w := httptest.NewRecorder()
	out := &events{c: echo.New().NewContext(asking(t.Context(), "GET", "/", ""), w)}
	for _, done := range []int{1, 1, 2, 2, 1} {
		if err := out.send("progress", store.Progress{Done: done}); err != nil {
			t.Fatal(err)
		}
	}
	if events := readEvents(t, bufio.NewScanner(w.Body)); len(events) != 3 {
		t.Errorf("events %v", events)
	}
}

// waitingWork is a question that ends only with its context.
func (c *client) waitingWork() (entered chan bool, ended chan error) {
	c.t.Helper()
	entered, ended = make(chan bool, 1), make(chan error, 1)
	c.work(func(c echo.Context, _ *store.Collection) (any, error) {
		if err := readStrict(c, &struct{}{}); err != nil { // until then nobody notices who leaves
			return nil, err
		}
		if told := progressOf(c); told != nil {
			told(store.Progress{Stage: "search"})
		}
		entered <- true
		<-c.Request().Context().Done()
		err := c.Request().Context().Err()
		ended <- err
		return nil, err
	})
	return entered, ended
}

// A client that hangs up ends the work, whether it follows it or waits for the answer.
func TestWorkEndsWithItsClient(t *testing.T) {
	c := newClient(t, Config{})
	entered, ended := c.waitingWork()
	server := httptest.NewServer(c.handler)
	defer server.Close()
	for _, accept := range []string{"", mimeEvents} {
		ctx, hangUp := context.WithCancel(t.Context())
		req := asking(ctx, "POST", server.URL+"/collections/v/work", "{}")
		req.Header.Set("Accept", accept)
		left := make(chan error)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_, err = resp.Body.Read(make([]byte, 1<<10)) // the first event
				<-ctx.Done()
				err = errors.Join(err, resp.Body.Close())
			}
			left <- err
		}()
		<-entered
		hangUp()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Accept %q: the work ended with %v", accept, err)
		}
		<-left
	}
}

// The questions themselves go by their client's context.
func TestQuestionsOfClientsThatHaveGone(t *testing.T) {
	c := newClient(t, Config{})
	c.fill("v", vectors(300, 4, 3))
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for route := range wholeQuestions {
		for _, accept := range []string{"", mimeEvents} {
			req := asking(gone, "POST", "/collections/v/points/"+route, `{"limit":3}`)
			req.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			c.handler.ServeHTTP(w, req)
			if strings.Contains(w.Body.String(), `"result"`) {
				t.Errorf("%s, Accept %q: the question was answered: %s", route, accept, w.Body)
			}
		}
	}
	var points int
	if coll, err := c.db.Collection("v"); err != nil {
		t.Fatal(err)
	} else if points, err = coll.Count(t.Context(), nil); err != nil || points != 300 {
		t.Errorf("%d points, %v", points, err)
	}
}

// failing is an answer that nobody takes.
type failing struct{ *httptest.ResponseRecorder }

func (failing) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

// A client that takes no events ends the work, though its connection stands.
func TestWorkEndsWhenNoEventIsTaken(t *testing.T) {
	c := newClient(t, Config{})
	_, ended := c.waitingWork()
	c.handler.ServeHTTP(failing{httptest.NewRecorder()}, asking(t.Context(), "POST", "/collections/v/work", ""))
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the work ended with %v", err)
	}
}

func TestEventsEndWithTheServer(t *testing.T) {
	c := newClient(t, Config{})
	entered, _ := c.waitingWork()
	told := make(chan []event)
	go func() {
		_, events := c.askEvents("/collections/v/work", "")
		told <- events
	}()
	<-entered
	c.server.stop()
	events := <-told
	if last := events[len(events)-1]; last.name != "error" || !reflect.DeepEqual(last.data["status"], map[string]any{"error": "the server is shutting down"}) {
		t.Errorf("events %v", events)
	}
}
