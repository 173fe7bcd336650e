package store

import (
	"fmt"
	"math"
	"time"

	"github.com/latentdb/latentdb/embed"
)

// firstReport is what is known once the model is trained.
func (r *fitRun) firstReport(gen *generation, result *embed.Result, sample *fitSample) *Report {
	learned, pca := result.Learned, result.PCA
	return &Report{
		Generation: gen.number, Source: gen.fitted.Spec().Kind(), Features: gen.fitted.Width(),
		Dim: gen.model.Dim(), Encoder: string(gen.model.Encoder()), HeldOut: len(result.Held), Examined: len(result.Examined),
		MSE: Versus{learned.MSE, pca.MSE}, MSEInput: Versus{learned.MSEInput, pca.MSEInput},
		RecallAt10: Versus{learned.Recall10, pca.Recall10}, RecallAt50: Versus{learned.Recall50, pca.Recall50},
		RecallAt100:    Versus{learned.Recall100, pca.Recall100},
		Int8RecallLoss: codeLoss(result), Encoders: encoderReports(result),
		Settings: Settings{Settings: gen.model.Settings(), Recall: r.c.Config().Recall,
			DimReason: result.DimReason, SampledRows: sample.rows.Rows, Code: codeName(result)},
	}
}

// codeLoss is what storing latents as they are stored costs in recall@10.
func codeLoss(r *embed.Result) float64 {
	if r.Model.CodeStep() == 0 {
		return 0
	}
	return r.Learned.Recall10 - r.Int8.Recall10
}

func codeName(r *embed.Result) string {
	if r.Model.CodeStep() == 0 {
		return fmt.Sprintf("float32: int8 would cost %.3f of recall@10 and %.3f of recall@50",
			r.Learned.Recall10-r.Int8.Recall10, r.Learned.Recall50-r.Int8.Recall50)
	}
	return "int8"
}

// finishReport adds what is known once the generation is indexed and saved.
func (r *fitRun) finishReport(gen *generation) error {
	rep, dir := gen.report, r.c.generationDir(gen.number)
	disk, err := dirBytes(dir)
	if err != nil {
		return err
	}
	n := float64(max(1, gen.index.Len()))
	rep.Points, gen.stats.Points = gen.index.Len(), gen.index.Len()
	rep.BytesPerPoint = Bytes{
		RAM: math.Round(float64(gen.memory()+r.c.ids.bytes())/n*10) / 10, Disk: math.Round(float64(disk)/n*10) / 10,
		Input: float64(4 * rep.Features),
	}
	rep.Compression = float64(4*rep.Features) / float64(gen.model.CodeSize())
	rep.FitSeconds = time.Since(r.began).Seconds()
	return saveReport(rep, dir)
}

// take keeps which points were held out, and as many that were not.
func (s *fitStats) take(result *embed.Result, sample *fitSample) {
	for _, i := range result.Examined {
		s.Examined = append(s.Examined, sample.slots[i])
	}
	isHeld := make(map[int]bool, len(result.Held))
	for _, i := range result.Held {
		isHeld[i] = true
		s.HeldOut = append(s.HeldOut, sample.slots[i])
	}
	rows, held := sample.rows.Rows, len(result.Held)
	stride := max(1, (rows-held)/max(1, held))
	for i, n := 0, 0; i < rows && len(s.Train) < held; i++ {
		if isHeld[i] {
			continue
		}
		if n%stride == 0 {
			s.Train = append(s.Train, sample.slots[i])
		}
		n++
	}
}

// keepHeld gives up all rows but those that training never saw, which are all
// that is still asked for: the others are most of a fit's memory.
func (s *fitSample) keepHeld(held []int) {
	rows, slots := embed.NewMatrix(len(held), s.rows.Cols), make([]uint32, len(held))
	for at, i := range held {
		copy(embed.Row(rows, at), embed.Row(s.rows, i))
		slots[at] = s.slots[i]
	}
	s.rows, s.slots = rows, slots
}
