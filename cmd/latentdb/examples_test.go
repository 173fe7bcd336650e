package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// words splits a command line as a shell does, as far as documentation goes:
// single quotes keep their content together.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// runExample runs a line that documentation prints, which must succeed.
func runExample(t *testing.T, line string) {
	t.Helper()
	if got := cli(words(line)[1:]...); got.code != exitDone {
		t.Errorf("%s: exit code %d\n%s%s", line, got.code, got.stdout, got.stderr)
	}
}

// mnistFiles writes files as MNIST's are, with other pictures, into the folder
// the test is in.
func mnistFiles(t *testing.T, set string) {
	t.Helper()
	const count, side = 100, 28
	rng := rand.New(rand.NewPCG(5, 6))
	var pixels, labels []byte
	for i := range count {
		pixels = append(pixels, spot(side, rng.Float64()*side, rng.Float64()*side).Pix...)
		labels = append(labels, byte(i%10))
	}
	put(t, set+"-images-idx3-ubyte.gz", idx(t, pixels, count, side, side))
	put(t, set+"-labels-idx1-ubyte.gz", idx(t, labels, count))
}

// put writes a file below the folder the test is in.
func put(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The commands that the README prints run as they stand, on files of the names
// it gives.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Use it on the command line\n")
	_, section, _ = strings.Cut(section, "```sh\n")
	section, _, found := strings.Cut(section, "```")
	if !found {
		t.Fatal("the README has no commands")
	}
	t.Chdir(t.TempDir())
	mnistFiles(t, "train")
	ran := 0
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "latentdb ") {
			runExample(t, line)
			ran++
		}
	}
	if ran < 8 {
		t.Errorf("only %d commands were found", ran)
	}
}

// The examples of the help texts run as they stand: those that import first, and
// the others on what these made.
func TestHelpExamples(t *testing.T) {
	t.Chdir(t.TempDir())
	mnistFiles(t, "t10k")
	var people strings.Builder
	people.WriteString("email,age,city,notes\n")
	for i := range 60 {
		fmt.Fprintf(&people, "p%d@example.com,%d,%s,note %d\n", i, 20+i%50, []string{"Oslo", "Bergen"}[i%2], i)
		if i < 6 {
			put(t, fmt.Sprintf("talks/%d.wav", i), tone(3, 220+40*float64(i)))
		}
		put(t, fmt.Sprintf("photos/%d.png", i), encodePNG(t, spot(50, float64(i), float64(i*7%50))))
	}
	put(t, "yes.wav", tone(1, 300))
	put(t, "people.csv", []byte(people.String()))
	put(t, "pairs.csv", []byte("left,right\na red house,ein rotes Haus\na dog,ein Hund\n"))
	put(t, "news.en.gz", gzipped(t, "a red house\na dog\n"))
	put(t, "news.de.gz", gzipped(t, "ein rotes Haus\nein Hund\n"))
	put(t, "items.csv", []byte("photo,title,price\nphotos/1.png,a spot,3\nphotos/2.png,another spot,4\n"))
	put(t, "sms.csv", []byte("label,text\nham,how are you\nspam,win a prize\n"))
	put(t, "photos.zip", zipOf(t, 6))
	put(t, "wiki.parquet", parquetFile(t))
	put(t, "embeddings.npy", npy(60, 5, circle))
	put(t, "query.json", []byte("[1, 0.5, 0, 1, 2]"))
	put(t, "seven.png", encodePNG(t, spot(28, 7, 7)))

	examples := map[string][]string{}
	for _, cmd := range (&app{}).root().Commands() {
		for line := range strings.Lines(cmd.Example) {
			examples[cmd.Name()] = append(examples[cmd.Name()], strings.TrimSpace(line))
		}
	}
	for _, line := range examples["import"] {
		runExample(t, line)
	}
	runExample(t, "latentdb fit digits --encoder pca")
	put(t, "latents.json", []byte(cli("encode", "digits", "--record", "seven.png").stdout))
	for _, name := range []string{"search", "reconstruct", "outliers", "pairs", "duplicates", "sample", "predict", "interpolate", "encode", "decode", "report", "index", "export"} {
		if len(examples[name]) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, line := range examples[name] {
			runExample(t, line)
		}
		delete(examples, name)
	}
	delete(examples, "import")
	if len(examples) > 0 {
		t.Errorf("these examples were not run: %v", examples)
	}
}

// docCommands are the command lines that a page of the documentation prints.
func docCommands(t *testing.T, page string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	inShell := false
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		switch {
		case strings.HasPrefix(line, "```"):
			inShell = strings.HasPrefix(line, "```sh")
		case inShell && strings.HasPrefix(line, "latentdb "):
			line, _, _ = strings.Cut(line, " #")
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// The commands of each page of the documentation run as they stand, one after another, on
// files of the names it gives. Where a page asks about what is there already, the first
// lines make it.
func TestDocCommands(t *testing.T) {
	people := "latentdb import people people.csv --id-column email --payload-columns note,plan,updated --fit"
	before := map[string][]string{
		"duplicates": {people, "latentdb import questions questions.csv --kind text --record-column text"},
		"outliers":   {people},
		"predict": {people, "latentdb import messages questions.csv --kind text --record-column text",
			"latentdb import digits train-images-idx3-ubyte.gz --fit"},
		"sampling": {"latentdb import rows people.csv --id-column email --fit"},
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	commands, ran := map[string][]string{}, 0
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		if lines := docCommands(t, page); len(lines) > 0 {
			commands[name] = slices.Concat(before[name], lines)
			ran += len(lines)
		}
	}
	if ran < 40 {
		t.Fatalf("only %d commands were found", ran)
	}
	for name, lines := range commands {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			docFiles(t)
			for _, line := range lines {
				runExample(t, line)
			}
		})
	}
}

// docFiles writes the files that documentation names into the folder the test is in.
func docFiles(t *testing.T) {
	t.Helper()
	mnistFiles(t, "train")
	var people, newPeople, questions, texts strings.Builder
	people.WriteString("email,age,city,plan,note,updated\n")
	newPeople.WriteString("age,city,plan\n33,Oslo,\n")
	questions.WriteString("id,split,label,text\n")
	for i := range 60 {
		fmt.Fprintf(&people, "p%d@example.com,%d,%s,%s,note %d,%d\n", i, 20+i*7%50, []string{"Oslo", "Bergen"}[i%2], []string{"free", "paid"}[i/2%2], i, i)
		fmt.Fprintf(&questions, "%d,%s,%s,what is the number %d of %s\n", i, []string{"train", "test"}[i%2], []string{"ham", "spam"}[i/2%2], i/2, []string{"dogs", "cats"}[i/2%2])
		fmt.Fprintf(&texts, "the parcel number %d came %d weeks late\n", i, i%5)
		if i < 6 {
			put(t, fmt.Sprintf("talks/%d.wav", i), tone(3, 220+40*float64(i)))
			put(t, fmt.Sprintf("words/yes-%d.wav", i), tone(1, 220+40*float64(i)))
		}
		if i < 20 {
			put(t, fmt.Sprintf("photos/%d.png", i), encodePNG(t, spot(50, float64(i), float64(i*7%50))))
		}
	}
	for name, text := range map[string]string{
		"people.csv": people.String(), "orders.csv": people.String(), "new.csv": newPeople.String(), "questions.csv": questions.String(), "notes.txt": texts.String(),
		"tickets.csv": "id,body\n1,late\n2,broken\n", "items.csv": "photo,title,price\nphotos/1.png,a spot,3\nphotos/2.png,another spot,4\n",
		"pairs.csv": "left,right\na red house,ein rotes Haus\na dog,ein Hund\na cat,eine Katze\nan old dog,ein alter Hund\n",
	} {
		put(t, name, []byte(text))
	}
	for _, name := range []string{"news.en.gz", "news.de.gz"} {
		put(t, name, gzipped(t, texts.String()))
	}
	put(t, "other.wav", tone(1, 300))
	put(t, "other.jpg", encodePNG(t, spot(50, 7, 7)))
	put(t, "photos.zip", zipOf(t, 6))
	put(t, "wiki.parquet", parquetFile(t))
	put(t, "embeddings.npy", npy(60, 5, circle))
	put(t, "query.json", []byte("[1, 0.5, 0, 1, 2]"))
}
