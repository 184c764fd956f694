//! Huffman tables: as a file defines them, and as they are looked up.

use super::Refused;
use super::entropy::Bits;

/// Codes of up to so many bits are looked up at once; of natural pictures' less than one in a hundred is longer.
const LOOKUP: u32 = 11;
/// Bits of a lookup that passes several symbols at once.
const SKIP: u32 = 11;

/// A table as it is in the file.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    /// Codes of 1 to 16 bits.
    counts: [u8; 16],
    symbols: Vec<u8>,
}

impl Definition {
    /// Reads one, and returns what follows it.
    pub(super) fn read(body: &[u8]) -> Result<(Self, &[u8]), &'static str> {
        let (counts, rest) = body.split_first_chunk::<16>().ok_or("a Huffman table is cut off")?;
        let symbols = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, rest) = rest.split_at_checked(symbols).ok_or("a Huffman table is cut off")?;
        let mut free: u32 = 1;
        for count in counts {
            // Of 0 codes left, no longer one can be made.
            free = (free * 2).checked_sub(u32::from(*count)).ok_or("a Huffman table has too many codes")?;
        }
        Ok((Self { counts: *counts, symbols: symbols.to_vec() }, rest))
    }

    /// Whether all symbols are sizes.
    pub(super) fn is_of_dc(&self) -> bool {
        self.symbols.iter().all(|symbol| *symbol < 16)
    }
}

/// What the next bits are: a code, and behind it a number of `size` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbol(u16);

impl Symbol {
    fn new(code_length: u32, symbol: u8) -> Self {
        Self((code_length as u16 + u16::from(symbol & 15)) | u16::from(symbol) << 5)
    }

    /// Bits of the code and of the number behind it: 1 to 31.
    #[inline(always)]
    pub(super) fn total(self) -> u32 {
        u32::from(self.0 & 31)
    }

    /// Bits of the number.
    #[inline(always)]
    pub(super) fn size(self) -> u32 {
        u32::from(self.0 >> 5 & 15)
    }

    /// Zeros before the number, or what the symbol is if there is no number.
    #[inline(always)]
    pub(super) fn run(self) -> usize {
        usize::from(self.0 >> 9 & 15)
    }
}

/// Symbols that were passed at once.
#[derive(Debug, Clone, Copy)]
struct Passed(u16);

impl Passed {
    const NONE: Self = Self(0);

    fn new(length: u32, coefficients: usize, ends: bool) -> Self {
        Self(length as u16 | (coefficients as u16) << 6 | u16::from(ends) << 5)
    }
}

/// A table to decode with.
pub(super) struct Table {
    lookup: [Symbol; 1 << LOOKUP],
    skip: Box<[Passed; 1 << SKIP]>,
    /// Of each length, the first code that is longer (left-aligned to 16 bits).
    beyond: [u32; 17],
    /// Of each length, what leads from a code to its symbol's place.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    pub(super) fn new(definition: &Definition) -> Self {
        let mut table = Self {
            lookup: [Symbol(0); 1 << LOOKUP],
            skip: Box::new([Passed::NONE; 1 << SKIP]),
            beyond: [0; 17],
            offsets: [0; 17],
            symbols: definition.symbols.clone(),
        };
        let (mut code, mut place) = (0u32, 0usize);
        for (length, count) in (1u32..).zip(definition.counts) {
            table.offsets[length as usize] = place as i32 - code as i32;
            for symbol in &definition.symbols[place..place + usize::from(count)] {
                if length <= LOOKUP {
                    let first = (code << (LOOKUP - length)) as usize;
                    table.lookup[first..first + (1 << (LOOKUP - length))].fill(Symbol::new(length, *symbol));
                }
                code += 1;
            }
            place += usize::from(count);
            table.beyond[length as usize] = code << (16 - length);
            code <<= 1;
        }
        table
    }

    /// The same with a lookup for [`Self::skip`], which pays only for many blocks.
    pub(super) fn with_skip(mut self) -> Self {
        for bits in 0..1u32 << SKIP {
            self.skip[bits as usize] = self.passed(bits);
        }
        self
    }

    /// As many whole symbols as begin with codes that are wholly in `window`.
    fn passed(&self, window: u32) -> Passed {
        let (mut length, mut coefficients) = (0, 0);
        while length < SKIP && coefficients < 64 {
            let symbol = self.lookup[(window << length & ((1 << SKIP) - 1)) as usize >> (SKIP - LOOKUP)];
            let code_length = symbol.total() - symbol.size();
            if symbol.total() == 0 || length + code_length > SKIP || length + symbol.total() > 31 {
                break;
            }
            length += symbol.total();
            match (symbol.run(), symbol.size()) {
                (15, 0) => coefficients += 16,
                (_, 0) => return Passed::new(length, coefficients, true),
                (run, _) => coefficients += run + 1,
            }
        }
        Passed::new(length, coefficients, false)
    }

    /// The next symbol; its bits are not consumed. At least 31 have to be at hand.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &Bits) -> Result<Symbol, Refused> {
        let symbol = self.lookup[bits.peek::<LOOKUP>()];
        if symbol.total() == 0 { self.long_symbol(bits) } else { Ok(symbol) }
    }

    #[cold]
    fn long_symbol(&self, bits: &Bits) -> Result<Symbol, Refused> {
        let next = bits.peek::<16>() as u32;
        let lengths = LOOKUP + 1..=16;
        let fits = |length: &u32| next < self.beyond[*length as usize];
        let found = lengths.into_iter().find(fits).and_then(|length| {
            let code = (next >> (16 - length)) as i32;
            let place = usize::try_from(code + self.offsets[length as usize]).ok()?;
            Some(Symbol::new(length, *self.symbols.get(place)?))
        });
        found.ok_or_else(|| bits.bad_code())
    }

    /// Passes what is left of a block from coefficient `at` on.
    #[inline(always)]
    pub(super) fn skip(&self, bits: &mut Bits, mut at: usize) -> Result<(), Refused> {
        while at < 64 {
            bits.refill();
            let Passed(passed) = self.skip[bits.peek::<SKIP>()];
            let (length, ends, next) = (u32::from(passed & 31), passed >> 5 & 1, at + usize::from(passed >> 6));
            // Behind coefficient 63 another block begins without an end of this one.
            if length != 0 && next + usize::from(ends) <= 64 {
                bits.consume(length);
                at = if ends == 1 { 64 } else { next };
                continue;
            }
            let symbol = self.symbol(bits)?;
            bits.consume(symbol.total());
            match (symbol.run(), symbol.size()) {
                (15, 0) => at += 16,
                (_, 0) => return Ok(()),
                (run, _) if at + run > 63 => return Err(bits.bad_code()),
                (run, _) => at += run + 1,
            }
        }
        Ok(())
    }
}

/// A block of a sequential scan: `put` is given the coefficients up to `needed` (in zigzag order) that are not zero,
/// and maybe some behind. Returns the last that it was given.
#[inline(always)]
pub(super) fn block(
    bits: &mut Bits,
    (dc, ac): (&Table, &Table),
    prediction: &mut i32,
    needed: usize,
    mut put: impl FnMut(usize, i32),
) -> Result<usize, Refused> {
    bits.refill();
    let symbol = dc.symbol(bits)?;
    *prediction = prediction.wrapping_add(bits.value(symbol.total(), symbol.size()));
    bits.consume(symbol.total());
    put(0, *prediction);
    let (mut at, mut last) = (1, 0);
    while at <= needed {
        bits.refill();
        let symbol = ac.symbol(bits)?;
        let value = bits.value(symbol.total(), symbol.size());
        bits.consume(symbol.total());
        at += symbol.run();
        if symbol.size() == 0 {
            if symbol.run() < 15 {
                return Ok(last);
            }
            at += 1;
            continue;
        }
        if at > 63 {
            return Err(bits.bad_code());
        }
        put(at, value);
        last = at;
        at += 1;
    }
    ac.skip(bits, at)?;
    Ok(last)
}
