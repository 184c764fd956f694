//! `strongroom compare A B`: whether two photos show the same person.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::open_model::{self, Model};
use crate::config::compare::CompareArgs;
use crate::predict::Request;

/// Runs the verb. That two persons differ is an answer, not a failure.
///
/// # Errors
/// The model is not had or cannot compare, or a photo shows no face.
pub async fn run(args: CompareArgs) -> anyhow::Result<()> {
    let mut model = open_model::open(args.model.clone(), args.store.clone()).await?;
    spawn_blocking(move || compare(&mut model, &args)).await?
}

fn compare(model: &mut Model, args: &CompareArgs) -> anyhow::Result<()> {
    let images = [STANDARD.encode(open_model::read(&args.first)?), STANDARD.encode(open_model::read(&args.second)?)];
    let body = json!({ "task": "compare", "images": images }).to_string().into();
    let json_type = || Some("application/json".to_owned());
    let response = model.predict(&Request { media_type: json_type(), accept: json_type(), body })?;
    let mut out = std::io::stdout().lock();
    if args.json {
        out.write_all(&response.body)?;
        return Ok(out.write_all(b"\n")?);
    }
    print(&mut out, &serde_json::from_slice(&response.body)?)
}

fn print(out: &mut impl Write, answer: &Value) -> anyhow::Result<()> {
    let what = if answer["verified"] == true { "the same person" } else { "different persons" };
    let number = |key: &str| answer[key].as_f64().unwrap_or(f64::NAN);
    let metric = answer["similarity_metric"].as_str().unwrap_or_default();
    let (distance, threshold) = (number("distance"), number("threshold"));
    Ok(writeln!(out, "{what}: {metric} distance {distance:.3}, threshold {threshold}")?)
}
