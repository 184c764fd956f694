//! `preprocessor_config.json`: the recipe of transformers' image processors in our words.

use serde_json::Value;

use super::super::BundleError;
use super::super::manifest::{ColorOrder, ImageInput, Interpolation, Jpeg, Pixels, Resize};
use super::field::Json;

pub(super) fn image_input(config: &Json) -> Result<ImageInput, BundleError> {
    let kind =
        config.text("image_processor_type").or_else(|| config.text("feature_extractor_type")).unwrap_or_default();
    let (width, height, resize) = geometry(config, kind)?;
    let name = Some("pixel_values".to_owned());
    let (interpolation, pixels) = (interpolation(config)?, pixels(config, kind)?);
    Ok(ImageInput { name, width, height, resize, interpolation, jpeg: Jpeg::Full, pixels })
}

/// What `size` and `crop_size` hold: both sides, or one length.
enum Size {
    Sides { width: u32, height: u32 },
    Shortest(u32),
}

fn size(config: &Json, field: &str) -> Result<Size, BundleError> {
    let value = config.require(field)?;
    let number = |value: &Value| value.as_u64().and_then(|side| u32::try_from(side).ok()).filter(|side| *side > 0);
    let side = |key: &str| value.get(key).and_then(number);
    let sides = side("height").zip(side("width")).map(|(height, width)| Size::Sides { width, height });
    let shortest = side("shortest_edge").or_else(|| number(value)).map(Size::Shortest);
    sides.or(shortest).ok_or_else(|| config.wrong(field, "is neither {height, width}, {shortest_edge} nor a number"))
}

fn geometry(config: &Json, kind: &str) -> Result<(u32, u32, Resize), BundleError> {
    if !config.flag("do_resize", true)? {
        return Err(config.wrong("do_resize", "is false; a graph takes images of one size, so they must be resized"));
    }
    let size = size(config, "size")?;
    if let Some(percent) = config.find("crop_pct").and_then(Value::as_f64).filter(|percent| *percent > 0.0) {
        return cropped_by_percent(config, kind, &size, percent);
    }
    if kind.starts_with("Levit") {
        return levit(config, &size);
    }
    match (size, config.flag("do_center_crop", config.find("crop_size").is_some())?) {
        (Size::Sides { width, height }, false) => Ok((width, height, Resize::Stretch)),
        (Size::Shortest(side), true) => {
            let (width, height) = crop(config)?;
            Ok((width, height, Resize::ShorterSideFloor(side)))
        }
        (Size::Sides { width, height }, true) if crop(config)? == (width, height) => {
            Ok((width, height, Resize::Stretch))
        }
        (Size::Sides { .. }, true) => Err(config
            .wrong("do_center_crop", "cuts out of an image that was stretched; write a model.toml with shorter-side")),
        // transformers keeps the shape of each image (detectors) or takes a number for both sides (ViT of old); a graph
        // with every dimension bound takes a square.
        (Size::Shortest(side), false) => Ok((side, side, Resize::Stretch)),
    }
}

fn crop(config: &Json) -> Result<(u32, u32), BundleError> {
    match size(config, "crop_size")? {
        Size::Sides { width, height } => Ok((width, height)),
        Size::Shortest(side) => Ok((side, side)),
    }
}

/// ConvNeXt and PoolFormer: the shorter side is scaled to `size / crop_pct`, then `size` is cut from the middle. From 384
/// on ConvNeXt stretches instead.
fn cropped_by_percent(config: &Json, kind: &str, size: &Size, percent: f64) -> Result<(u32, u32, Resize), BundleError> {
    let side = match *size {
        Size::Shortest(side) => side,
        Size::Sides { width, height } if width == height => width,
        Size::Sides { .. } => return Err(config.wrong("size", "must be square where there is a crop_pct")),
    };
    if kind.starts_with("ConvNext") && side >= 384 {
        return Ok((side, side, Resize::Stretch));
    }
    let scaled = (f64::from(side) / percent).floor();
    if percent > 1.0 || scaled > 65_536.0 {
        return Err(config.wrong("crop_pct", "must lie between 0.05 and 1"));
    }
    let scaled = scaled as u32;
    Ok((side, side, Resize::ShorterSideFloor(scaled)))
}

/// LeViT scales the shorter side to 256/224 of `size` before it cuts.
fn levit(config: &Json, size: &Size) -> Result<(u32, u32, Resize), BundleError> {
    let Size::Shortest(side) = *size else { return Err(config.wrong("size", "must be {shortest_edge} for LeViT")) };
    let (width, height) = if config.find("crop_size").is_some() { crop(config)? } else { (side, side) };
    let scaled = u64::from(side) * 256 / 224;
    let scaled = u32::try_from(scaled).map_err(|_| config.wrong("size", "is too large"))?;
    Ok((width, height, Resize::ShorterSideFloor(scaled)))
}

/// Pillow's numbers for its filters.
fn interpolation(config: &Json) -> Result<Interpolation, BundleError> {
    match config.require("resample")?.as_u64() {
        Some(0) => Ok(Interpolation::Nearest),
        Some(1) => Ok(Interpolation::Lanczos),
        Some(2) => Ok(Interpolation::Bilinear),
        Some(3) => Ok(Interpolation::Bicubic),
        _ => Err(config.wrong("resample", "must be 0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)")),
    }
}

fn pixels(config: &Json, kind: &str) -> Result<Pixels, BundleError> {
    let rescale = config.flag("do_rescale", true)?;
    let scale = if rescale { config.number("rescale_factor", 1.0 / 255.0)? } else { 1.0 };
    let normalize = config.flag("do_normalize", config.find("image_mean").is_some())?;
    if normalize && (config.find("image_mean").is_none() || config.find("image_std").is_none()) {
        return Err(config.wrong("image_mean", "or image_std is missing, but do_normalize is true"));
    }
    let (mut mean, mut std) = ([0.0; 3], [1.0; 3]);
    if normalize {
        (mean, std) = (config.triple("image_mean", 0.0)?, config.triple("image_std", 1.0)?);
    }
    if rescale && config.flag("rescale_offset", false)? {
        // EfficientNet: -1 to 1 before the mean is subtracted.
        mean = mean.map(|mean| mean + 1.0);
    }
    if kind.starts_with("EfficientNet") && config.flag("include_top", true)? && normalize {
        // Its classifier was trained on images divided by the deviation twice.
        std = std.map(|std| std * std);
    }
    let flip = config.flag("do_flip_channel_order", false)?;
    if flip {
        mean.reverse();
        std.reverse();
    }
    let color_order = if flip { ColorOrder::Bgr } else { ColorOrder::Rgb };
    let single = |number: f64| number as f32;
    Ok(Pixels { color_order, scale: single(scale), mean: mean.map(single), std: std.map(single), ..Pixels::default() })
}
