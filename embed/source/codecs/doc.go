// Package codecs registers file formats that records may have beyond what the standard
// library reads: a program that wants them imports it for that alone,
//
//	import _ "github.com/latentdb/latentdb/embed/source/codecs"
//
// and one that does not stays light. The latentdb binary has them all.
package codecs
