// Package embed learns small latents of feature rows. A model maps a row x of
// D features to a latent z of d values and back:
//
//	u = (x − mean) / scale
//	z = E u + σ·MLPe(u)           encode
//	û = G z + MLPd(z / σ)          decode
//	x̂ = û·scale + mean
//
// E and G start as the leading principal components and the last layers of
// both perceptrons start at zero, so before its first step the model is PCA.
// Training lowers the reconstruction error plus a tenth of a neighbour loss
// (the divergence between softmax neighbourhoods of a batch in row space and in
// latent space, after Hinton and Roweis, "Stochastic Neighbor Embedding", 2002).
// Every epoch is scored on held-out rows, and the checkpoint that is kept loses
// to PCA neither in error nor in neighbours.
//
// Matrices are gonum's blas32.General, row-major, one record a row. The package
// knows nothing of records, files, ids or HTTP; package source, below it, turns
// records into feature rows.
package embed
