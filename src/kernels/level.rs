//! Which instructions the processor has, and how a kernel comes to be compiled for them.

#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Portable, Simd};

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Any processor.
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F and BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-512 F, BW and VNNI, which products of bytes alone make use of.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Level {
    /// The best one that this processor has.
    pub fn detect() -> Self {
        Self::available().into_iter().max().unwrap_or(Self::Portable)
    }

    /// All that this processor has.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "elsewhere there is only one")]
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
            levels.extend(has_avx2.then_some(Self::Avx2));
            let has_avx512 = std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw");
            levels.extend((has_avx2 && has_avx512).then_some(Self::Avx512));
            let has_vnni = std::is_x86_feature_detected!("avx512vnni");
            levels.extend((has_avx2 && has_avx512 && has_vnni).then_some(Self::Avx512Vnni));
        }
        levels
    }

    /// Pixels whose sums a kernel of sixteen-channel blocks keeps in registers, for one block of channels.
    pub(crate) fn pixels(self) -> usize {
        match self {
            Self::Portable => 3,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 6,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx512Vnni => 14,
        }
    }

    /// Runs `kernel`, compiled for this level.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Answer {
        self.require();
        match self {
            // SAFETY: every processor has it.
            Self::Portable => unsafe { kernel.run::<Portable>() },
            // SAFETY: `require` saw that the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: `require` saw that the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx512Vnni => unsafe { avx512(kernel) },
        }
    }

    /// # Panics
    /// The processor has no such instructions: to be called before any of them runs.
    pub(crate) fn require(self) {
        static DETECTED: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        assert!(self <= *DETECTED.get_or_init(Self::detect), "this processor has no {self:?}");
    }
}

/// Work that is written over the instruction set.
pub(crate) trait Kernel {
    /// What it gives.
    type Answer;

    /// Does it. To be `#[inline(always)]`, so that it is compiled as a part of a function with the set's instructions.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Answer;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Answer {
    // SAFETY: the caller's processor has AVX2 and FMA.
    unsafe { kernel.run::<Avx2>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Answer {
    // SAFETY: the caller's processor has AVX-512 F.
    unsafe { kernel.run::<Avx512>() }
}
