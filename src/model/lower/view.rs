//! Which axis of a tensor is what: kernels know images, channels and pixels, graphs number their axes as they like.

use strongroom_kernels::Shape;
use tract_onnx::tract_core::ops::change_axes::AxisOp;

/// What an axis counts. Channels and pixels may be spread over several axes: the number says which changes slower, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing: it has one element.
    Single,
    Image,
    Channel(usize),
    Pixel(usize),
}

/// Where the numbers of a tensor are: those of an image, a channel and a pixel add up.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    pub(super) images: Vec<usize>,
    pub(super) channels: Vec<usize>,
    /// Row by row.
    pub(super) pixels: Vec<usize>,
}

impl Spread {
    /// Whether a tensor lies image by image, channel by channel, pixel by pixel.
    pub(super) fn is_planar(&self) -> bool {
        let follow = |places: &[usize], step: usize| places.iter().enumerate().all(|(at, place)| *place == at * step);
        let (channels, pixels) = (self.channels.len(), self.pixels.len());
        follow(&self.pixels, 1) && follow(&self.channels, pixels) && follow(&self.images, channels * pixels)
    }
}

/// The roles of a tensor's axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View(Vec<Role>);

impl View {
    /// Images, channels, then pixels: how convolutions want it.
    pub(super) fn channels_first(rank: usize) -> Option<Self> {
        let of = |axis: usize| match axis {
            0 => Role::Image,
            1 => Role::Channel(0),
            _ => Role::Pixel(axis - 2),
        };
        (2..=4).contains(&rank).then(|| Self((0..rank).map(of).collect()))
    }

    /// Images, pixels, then channels: how matrix products want it.
    pub(super) fn channels_last(rank: usize) -> Option<Self> {
        let of = |axis: usize| match axis {
            _ if axis + 1 == rank => Role::Channel(0),
            0 => Role::Image,
            _ => Role::Pixel(axis - 1),
        };
        (2..=4).contains(&rank).then(|| Self((0..rank).map(of).collect()))
    }

    /// The axis of the channels, where it is one.
    pub(super) fn channel_axis(&self) -> Option<usize> {
        let mut axes = self.0.iter().enumerate().filter(|(_, role)| matches!(role, Role::Channel(_)));
        axes.next().map(|(axis, _)| axis).filter(|_| axes.next().is_none())
    }

    /// The axis that is slowest of those of the channels.
    pub(super) fn slowest_channel_axis(&self) -> Option<usize> {
        self.0.iter().position(|role| *role == Role::Channel(0))
    }

    /// Whether `axes` are all those of the pixels.
    pub(super) fn are_pixels(&self, axes: &[usize]) -> bool {
        let pixels = self.0.iter().enumerate().filter(|(_, role)| matches!(role, Role::Pixel(_)));
        let pixels: Vec<usize> = pixels.map(|(axis, _)| axis).collect();
        !pixels.is_empty() && pixels.len() == axes.len() && axes.iter().all(|axis| pixels.contains(axis))
    }

    /// Images, channels, rows and columns of a tensor of these dimensions.
    pub(super) fn shape(&self, dims: &[usize]) -> Option<Shape> {
        if dims.len() != self.0.len() || dims.contains(&0) {
            return None;
        }
        let of = |wanted: fn(&Role) -> Option<usize>| {
            let mut axes: Vec<_> =
                self.0.iter().zip(dims).filter_map(|(role, dim)| Some((wanted(role)?, *dim))).collect();
            axes.sort_unstable();
            axes.into_iter().map(|(_, dim)| dim).collect::<Vec<_>>()
        };
        let singles = of(|role| (*role == Role::Single).then_some(0));
        let images = of(|role| (*role == Role::Image).then_some(0));
        let channels = of(|role| if let Role::Channel(order) = role { Some(*order) } else { None });
        let pixels = of(|role| if let Role::Pixel(order) = role { Some(*order) } else { None });
        let (height, width) = match pixels[..] {
            [] => (1, 1),
            [width] => (1, width),
            [height, width] => (height, width),
            _ => (1, pixels.iter().product()),
        };
        let known = singles.iter().all(|dim| *dim == 1) && !channels.is_empty();
        let (images, channels) = (images.iter().product(), channels.iter().product());
        known.then_some(Shape { images, channels, height, width })
    }

    /// Where each number of a tensor of these dimensions is found.
    pub(super) fn spread(&self, dims: &[usize]) -> Spread {
        let mut strides = vec![1; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis] * dims[axis];
        }
        let places = |wanted: fn(&Role) -> Option<usize>| {
            let all = self.0.iter().enumerate();
            let mut axes: Vec<_> = all.filter_map(|(axis, role)| Some((wanted(role)?, axis))).collect();
            axes.sort_unstable();
            axes.into_iter().fold(vec![0], |places, (_, axis)| {
                let along = |place: usize| (0..dims[axis]).map(move |at| (place, at));
                places.into_iter().flat_map(along).map(|(place, at)| place + at * strides[axis]).collect()
            })
        };
        Spread {
            images: places(|role| (*role == Role::Image).then_some(0)),
            channels: places(|role| if let Role::Channel(order) = role { Some(*order) } else { None }),
            pixels: places(|role| if let Role::Pixel(order) = role { Some(*order) } else { None }),
        }
    }

    /// Whether axes of two tensors, of the dimensions given, mean the same wherever there is more than one element.
    pub(super) fn agrees(&self, dims: &[usize], other: &Self, other_dims: &[usize]) -> bool {
        let both = self.0.iter().zip(dims).zip(other.0.iter().zip(other_dims));
        self.0.len() == other.0.len()
            && both.into_iter().all(|((role, dim), (other, other_dim))| role == other || *dim == 1 || *other_dim == 1)
    }

    /// Without `axis`, which is the slowest of the channels, of which one is chosen.
    pub(super) fn without_slowest_channel(&self, axis: usize) -> Option<Self> {
        if self.0.get(axis) != Some(&Role::Channel(0)) || self.channel_axis().is_some() {
            return None;
        }
        let mut roles = self.0.clone();
        roles.remove(axis);
        let faster = |role| if let Role::Channel(order) = role { Role::Channel(order - 1) } else { role };
        Some(Self(roles.into_iter().map(faster).collect()))
    }

    /// After an operator that moves axes; `None` where that would change the order of numbers.
    pub(super) fn moved(&self, op: &AxisOp) -> Option<Self> {
        let mut roles = self.0.clone();
        match op {
            AxisOp::Add(axis) if *axis <= roles.len() => roles.insert(*axis, Role::Single),
            AxisOp::Rm(axis) if *axis < roles.len() => drop(roles.remove(*axis)),
            AxisOp::Move(from, to) if from.max(to) < &roles.len() => {
                let role = roles.remove(*from);
                roles.insert(*to, role);
            }
            AxisOp::Reshape(at, from, to) => {
                let dims = |dims: &[tract_onnx::prelude::TDim]| {
                    dims.iter().map(|dim| usize::try_from(dim.as_i64()?).ok()).collect::<Option<Vec<usize>>>()
                };
                return self.reshaped(*at, &dims(from)?, &dims(to)?);
            }
            AxisOp::Add(_) | AxisOp::Rm(_) | AxisOp::Move(..) => return None,
        }
        Some(Self(roles))
    }

    /// Axes of one role that follow each other, become other ones of that role.
    fn reshaped(&self, at: usize, from: &[usize], to: &[usize]) -> Option<Self> {
        let group = self.0.get(at..at + from.len())?;
        let first = *group.iter().zip(from).find(|(_, dim)| **dim > 1).map_or(group.first()?, |(role, _)| role);
        let (order, role): (usize, fn(usize) -> Role) = match first {
            Role::Channel(order) => (order, Role::Channel),
            Role::Pixel(order) => (order, Role::Pixel),
            Role::Single | Role::Image => return (from == to).then(|| self.clone()),
        };
        let mut next = order;
        for (found, dim) in group.iter().zip(from) {
            if *found == role(next) {
                next += 1;
            } else if *dim > 1 {
                return None;
            }
        }
        let renumbered = |found: &Role| match *found {
            Role::Channel(other) if role(0) == Role::Channel(0) && other >= next => {
                Role::Channel(other - next + order + to.len())
            }
            Role::Pixel(other) if role(0) == Role::Pixel(0) && other >= next => {
                Role::Pixel(other - next + order + to.len())
            }
            other => other,
        };
        let before = self.0[..at].iter().map(renumbered);
        let after = self.0[at + from.len()..].iter().map(renumbered);
        let between = (0..to.len()).map(|place| role(order + place));
        Some(Self(before.chain(between).chain(after).collect()))
    }
}
