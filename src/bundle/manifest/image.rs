//! How an image becomes numbers.

use serde::Deserialize;

/// An image input of a graph, `[1, 3, height, width]` or as `pixels.layout` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// The graph's input; may be left out when it has one.
    pub name: Option<String>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How the image is fitted to width and height.
    #[serde(default)]
    pub resize: Resize,
    /// How pixels between pixels are computed, always with antialias, as Pillow does.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// How much of a JPEG file is decoded.
    #[serde(default)]
    pub jpeg: Jpeg,
    /// From pixels to numbers.
    #[serde(default)]
    pub pixels: Pixels,
}

/// How an image is fitted to the input's width and height.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Resize {
    /// Both sides are scaled on their own.
    #[default]
    Stretch,
    /// The shorter side is scaled to this many pixels, then width and height are cut from the middle.
    ShorterSide(u32),
    /// As `ShorterSide`, with an odd pixel cut from the right and from below, as transformers does; torchvision rounds to
    /// even. Only a Hugging Face export says so.
    #[serde(skip)]
    ShorterSideFloor(u32),
    /// The whole image is scaled to fit, the rest is filled.
    Letterbox {
        /// Where the image lies.
        #[serde(default)]
        position: Position,
        /// RGB of the filling.
        #[serde(default)]
        fill: [u8; 3],
    },
}

/// Where a letterboxed image lies.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// In the middle.
    #[default]
    Center,
    /// In the top left corner.
    TopLeft,
}

/// Resampling filters, named and computed as Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Nearest neighbour.
    Nearest,
    /// Triangle filter.
    #[default]
    Bilinear,
    /// Cubic filter with a = -0.5.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
}

/// How much of a JPEG file is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jpeg {
    /// Every pixel.
    #[default]
    Full,
    /// A half, a quarter or an eighth of each side where at least twice the input's pixels are left.
    Reduced,
}

/// From 8-bit pixels to numbers: `(pixel * scale - mean) / std`, channel by channel in `color_order`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pixels {
    /// Order of the channels in the tensor.
    pub color_order: ColorOrder,
    /// Order of the axes in the tensor.
    pub layout: Layout,
    /// Multiplied first.
    pub scale: f32,
    /// Subtracted second.
    pub mean: [f32; 3],
    /// Divided by last.
    pub std: [f32; 3],
}

impl Default for Pixels {
    fn default() -> Self {
        Self {
            color_order: ColorOrder::default(),
            layout: Layout::default(),
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ColorOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// Order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Batch, channels, height, width.
    #[default]
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}
