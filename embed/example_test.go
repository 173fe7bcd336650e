package embed_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/latentdb/latentdb/embed"
)

// Rows of 16 features that two hidden parameters bend into a curved sheet.
func Example() {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := embed.NewMatrix(1500, 16)
	for i := range rows.Rows {
		s, t := 4*rng.Float64(), 4*rng.Float64()
		for j := range 16 {
			embed.Row(rows, i)[j] = float32(math.Sin(s*float64(j%4)/2 + t*float64(j/4)/2))
		}
	}
	result, err := embed.Train(context.Background(), embed.NumericLayout(16), rows,
		embed.Config{Encoder: embed.Deep, Dim: 4, Epochs: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("encoder:", result.Model.Encoder())
	fmt.Println("beats PCA in error:", result.Learned.MSE < result.PCA.MSE)
	fmt.Println("and in neighbours:", result.Learned.Recall10 > result.PCA.Recall10)

	latents := embed.NewMatrix(rows.Rows, result.Model.Dim())
	if err := result.Model.Encode(latents, rows); err != nil {
		fmt.Println(err)
		return
	}
	back := embed.NewMatrix(rows.Rows, result.Model.Features())
	if err := result.Model.Decode(back, latents); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("latent values:", latents.Cols)
	fmt.Println("row values:", back.Cols)
	// Output:
	// encoder: deep
	// beats PCA in error: true
	// and in neighbours: true
	// latent values: 4
	// row values: 16
}
