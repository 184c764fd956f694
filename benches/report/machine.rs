//! What the numbers were measured on.

/// One sentence: processor, cores, memory, kernel.
pub fn describe() -> String {
    let field = |path: &str, key: &str| {
        std::fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .find(|line| line.starts_with(key))
            .and_then(|line| line.split(':').nth(1))
            .map_or_else(|| "unknown".into(), |value| value.trim().to_string())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let gib = field("/proc/meminfo", "MemTotal")
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<f64>().ok())
        .map_or(0.0, |kib| kib / 1_048_576.0);
    format!(
        "Machine: {}, {cores} cores, {gib:.0} GiB of memory, Linux {}.",
        field("/proc/cpuinfo", "model name"),
        kernel.trim()
    )
}
