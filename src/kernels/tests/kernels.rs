//! Every kernel on every level this processor has, against the plainest computation in `f64` ([`reference`]), in memory
//! that shows what is read or written and must not be ([`scene`]). `PROPTEST_CASES` sets how many random cases a test
//! draws.

mod activation;
mod channelwise;
mod conv;
mod convert;
mod depthwise;
mod draw;
mod nan;
mod pixels;
mod place;
mod pool;
mod quantized;
mod reference;
mod refusals;
mod refused_places;
mod scene;
mod team;
