//! `strongroom predict MODEL FILE...`: the server's answers, offline.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use tokio::task::spawn_blocking;

use super::open_model::{self, Model};
use crate::config::predict::PredictArgs;
use crate::predict::image::{self, ImageLimits};
use crate::predict::{Answer, Request};

/// Runs the verb.
///
/// # Errors
/// The model is not had, or a file has no answer; the other files are answered all the same.
pub async fn run(args: PredictArgs) -> anyhow::Result<()> {
    if args.draw.is_some() && args.files.len() != 1 {
        bail!("--draw takes a single FILE, not {}", args.files.len());
    }
    let mut model = open_model::open(args.model.clone(), args.store.clone()).await?;
    spawn_blocking(move || answer_all(&mut model, &args)).await?
}

/// One line for each file; failures are told as they come.
fn answer_all(model: &mut Model, args: &PredictArgs) -> anyhow::Result<()> {
    let mut failed = 0;
    for path in &args.files {
        if let Err(error) = answer(model, path, args.draw.as_deref()) {
            if args.files.len() == 1 {
                return Err(error);
            }
            failed += 1;
            writeln!(std::io::stderr().lock(), "error: {error:#}")?;
        }
    }
    if failed > 0 {
        bail!("{failed} of {} files have no answer", args.files.len());
    }
    Ok(())
}

fn answer(model: &mut Model, path: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    let request = open_model::request(path)?;
    let unanswered = || path.display().to_string();
    if let Some(out) = out {
        let answers = model.answers(&request).with_context(unanswered)?;
        let [answer] = answers.as_slice() else { bail!("{}: --draw takes a single image", path.display()) };
        draw(model, &request, answer, out).with_context(unanswered)?;
    }
    let response = model.predict(&request).with_context(unanswered)?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&response.body)?;
    Ok(stdout.write_all(b"\n")?)
}

/// The picture with its answer on it.
fn draw(model: &Model, request: &Request, answer: &Answer, out: &Path) -> anyhow::Result<()> {
    let limits = ImageLimits::from(&model.predictor().manifest().limits);
    let mut picture = image::decode(0, &request.body, &limits)?;
    image::draw(&mut picture, answer);
    let png = image::encode_png(&picture)?;
    std::fs::write(out, png).with_context(|| format!("{} cannot be written", out.display()))
}
