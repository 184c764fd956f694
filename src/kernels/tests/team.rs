//! Threads that take part in a kernel's work.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread::ThreadId;

use strongroom_kernels::{
    Attention, Channelwise, Conv, Depthwise, Finish, Halo, LANES, LayerNorm, Level, Offer, Operation, Place, Pool,
    Pooling, Shape, Team, Window, combine, mean_of_planes, softmax,
};

use super::refusals::assert_refused;
use super::scene::numbers;

/// Runs `work` with a team of so many threads, which cuts whatever can be cut.
pub fn with_team<T>(threads: usize, work: impl FnOnce(&mut Team) -> T) -> T {
    // The others come again and again: one of them is always on its way.
    let mut team = Team::new(1, move |_| threads > 1);
    let offer = team.offer().unwrap();
    let (over, come) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| {
                come.fetch_add(1, Ordering::Relaxed);
                while !over.load(Ordering::Relaxed) {
                    offer.join(|| over.load(Ordering::Relaxed));
                    // Valgrind runs one thread at a time.
                    std::thread::yield_now();
                }
            });
        }
        // A panic in the work must not leave them waiting.
        let _over = Over(&over);
        while come.load(Ordering::Relaxed) + 1 < threads {
            std::thread::yield_now();
        }
        work(&mut team)
    })
}

/// Runs `work` with a team that cuts whatever can be cut, and two more threads that come if they are quick enough.
pub fn with_any(work: impl FnOnce(&mut Team)) {
    thread_local! {
        static TEAM: RefCell<Team> = {
            let calls = [(); 2].map(|()| {
                let (call, calls) = mpsc::sync_channel::<Arc<Offer>>(1);
                std::thread::spawn(move || calls.iter().for_each(|offer| offer.join(|| false)));
                call
            });
            let call = move |offer: &Arc<Offer>| {
                calls.iter().for_each(|call| _ = call.try_send(Arc::clone(offer)));
                true
            };
            RefCell::new(Team::new(1, call))
        };
    }
    TEAM.with(|team| work(&mut team.borrow_mut()));
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub fn same_bits(left: &[f32], right: &[f32]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.to_bits() == right.to_bits())
}

#[test]
fn every_unit_is_run_once_however_many_take_part() {
    for threads in [1, 2, 3, 8] {
        with_team(threads, |team| {
            for units in (0..40).chain([1_000, 12_345]) {
                let runs: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
                team.share(units, 1, |part| {
                    part.for_each(|unit| _ = runs[unit].fetch_add(1, Ordering::Relaxed));
                });
                assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1), "{units} units, {threads} threads");
            }
        });
    }
}

#[test]
fn what_others_write_is_there_for_the_next_step() {
    with_team(3, |team| {
        let mut numbers = vec![0_u64; 1_000];
        for step in 0..if cfg!(debug_assertions) { 500 } else { 5_000 } {
            let cells: Vec<&mut [u64]> = numbers.chunks_mut(50).collect();
            let cells: Vec<_> = cells.into_iter().map(std::sync::Mutex::new).collect();
            team.share(cells.len(), 1, |part| {
                for cell in &cells[part] {
                    cell.lock().unwrap().iter_mut().for_each(|number| {
                        assert_eq!(*number, step);
                        *number += 1;
                    });
                }
            });
        }
    });
}

/// Two pieces that wait for each other, and so for two threads.
fn meet(team: &mut Team) -> [Option<ThreadId>; 2] {
    let (barrier, by) = (Barrier::new(2), [const { std::sync::Mutex::new(None) }; 2]);
    team.share(2, 1, |part| {
        barrier.wait();
        *by[part.start].lock().unwrap() = Some(std::thread::current().id());
    });
    by.map(|by| by.into_inner().unwrap())
}

#[test]
fn who_takes_part_runs_pieces_from_the_back() {
    with_team(2, |team| {
        let [front, back] = meet(team);
        assert_eq!(front, Some(std::thread::current().id()));
        assert!(back.is_some() && back != front);
    });
}

#[test]
fn a_leader_alone_runs_everything_at_once() {
    for mut team in [Team::alone(), Team::new(1, |_| false)] {
        let parts = std::sync::Mutex::new(Vec::new());
        team.share(100, 1_000, |part| parts.lock().unwrap().push(part));
        assert!(matches!(&parts.into_inner().unwrap()[..], [part] if *part == (0..100)));
    }
}

#[test]
fn somebody_is_called_when_there_is_work_for_one_more() {
    let (tell, told) = mpsc::channel::<Arc<Offer>>();
    let mut team = Team::new(1_000, move |offer| tell.send(Arc::clone(offer)).is_ok());
    // Not worth two pieces; not two units.
    for (units, work) in [(19, 100), (1, 100_000), (0, 1)] {
        team.share(units, work, |_| ());
    }
    assert!(told.try_recv().is_err());
    // They are on their way: nobody waits for them, but there is something left when they come.
    let parts = AtomicUsize::new(0);
    team.share(100, 100, |_| _ = parts.fetch_add(1, Ordering::Relaxed));
    assert_eq!(parts.into_inner(), 10);
    assert!(Arc::ptr_eq(&told.try_recv().unwrap(), &team.offer().unwrap()));
}

#[test]
fn who_comes_calls_the_next_one() {
    let (tell, told) = mpsc::channel();
    let mut team = Team::new(1, move |_| tell.send(std::thread::current().id()).is_ok());
    let offer = team.offer().unwrap();
    let come = AtomicBool::new(false);
    team.share(4, 1, |part| {
        // While other pieces are left.
        if part.start == 0 {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    offer.join(|| true);
                    come.store(true, Ordering::Relaxed);
                });
            });
        }
    });
    assert!(come.into_inner());
    let callers: Vec<_> = told.try_iter().collect();
    assert_eq!(callers.len(), 2);
    assert!(callers[0] == std::thread::current().id() && callers[1] != callers[0]);
}

#[test]
fn who_is_wanted_elsewhere_leaves_between_pieces() {
    let team = Team::new(1, |_| false);
    let asked = AtomicUsize::new(0);
    team.offer().unwrap().join(|| asked.fetch_add(1, Ordering::Relaxed) == 5);
    assert_eq!(asked.into_inner(), 6);
}

#[test]
fn who_finds_no_piece_goes() {
    let team = Team::new(1, |_| false);
    let offer = team.offer().unwrap();
    offer.join(|| false);
    assert_eq!(offer.joined(), 0);
}

#[test]
fn who_comes_to_a_team_that_is_gone_goes() {
    let offer = Team::new(1, |_| false).offer().unwrap();
    offer.join(|| false);
}

#[test]
fn a_panic_of_a_piece_is_the_leaders_once_all_others_are_done() {
    for panics_at in [0, 1] {
        with_team(2, |team| {
            let (barrier, done) = (Barrier::new(2), AtomicUsize::new(0));
            assert_refused("on purpose", || {
                team.share(2, 1, |part| {
                    barrier.wait();
                    assert!(part.start != panics_at, "on purpose");
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    done.fetch_add(1, Ordering::Relaxed);
                });
            });
            assert_eq!(done.into_inner(), 1);
            // Both go on.
            assert!(meet(team).iter().all(Option::is_some));
        });
    }
}

#[test]
fn work_within_work_is_the_inner_teams() {
    with_team(2, |team| {
        let runs = AtomicUsize::new(0);
        team.share(4, 1, |part| {
            Team::alone().share(part.len(), 1, |part| _ = runs.fetch_add(part.len(), Ordering::Relaxed));
        });
        assert_eq!(runs.into_inner(), 4);
    });
}

const SHAPE: Shape = Shape { images: 2, channels: 96, height: 5, width: 31 };
const PIXEL: Window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], before: [0; 2] };
const THREE: Window = Window { kernel: [3; 2], before: [1; 2], ..PIXEL };

type Call = Box<dyn Fn(&mut Team, Level, &mut [f32], [&Place; 4], usize)>;

fn calls() -> Vec<(&'static str, Call)> {
    let conv = |window: Window, outs: usize, finish: Finish| -> Call {
        let taps = window.kernel[0] * window.kernel[1];
        let (weights, bias) = (numbers(1, outs * 96 * taps), numbers(2, outs));
        Box::new(move |team, level, arena, [input, other, _, output], _| {
            let conv = Conv::new(level, window, [outs, 96], LANES, &weights[..], &bias, finish);
            conv.run(team, arena, input, Some(other), output);
        })
    };
    let gelu = Finish { activation: strongroom_kernels::Activation::Gelu, ..Finish::default() };
    let (weights, channels) = (numbers(3, 96 * 9), numbers(4, 96));
    let (scales, offsets) = (channels.clone(), channels.clone());
    vec![
        // Weights that a cache holds, and more than that.
        ("pixels", conv(PIXEL, 96, gelu)),
        ("windows", conv(THREE, 96, Finish::default())),
        ("many windows", conv(Window { kernel: [5; 2], before: [2; 2], ..PIXEL }, 96, gelu)),
        (
            "depthwise",
            Box::new(move |team, level, arena, [input, other, _, output], _| {
                Depthwise::new(level, THREE, &weights, &channels, gelu).run(team, arena, input, Some(other), output);
            }),
        ),
        (
            "pool",
            Box::new(|team, level, arena, [input, _, _, output], _| {
                Pool { window: THREE, pooling: Pooling::MeanInside }.run(team, level, arena, input, output);
            }),
        ),
        (
            "mean",
            Box::new(|team, level, arena, [input, _, _, output], _| {
                let pixel = Shape { height: 1, width: 1, ..SHAPE };
                let output = Place::blocked(output.offset, pixel, Halo::default());
                mean_of_planes(team, level, arena, input, &output, 1.0);
            }),
        ),
        (
            "scale",
            Box::new(move |team, level, arena, [input, _, _, output], _| {
                Channelwise::new(&scales, &scales, gelu).run(team, level, arena, input, output);
            }),
        ),
        (
            "combine in place",
            Box::new(|team, level, arena, [_, other, third, _], _| {
                combine(team, level, arena, Operation::Divide, [other, third], other, &Finish::default());
            }),
        ),
        (
            "norm",
            Box::new(move |team, level, arena, [input, _, _, output], _| {
                LayerNorm::new(&offsets, &offsets, 1e-5).run(team, level, arena, input, output);
            }),
        ),
        (
            "softmax in place",
            Box::new(|team, level, arena, [_, other, ..], _| softmax(team, level, arena, other, other)),
        ),
        (
            "attention",
            Box::new(|team, level, arena, [_, query, key, output], scratch| {
                ATTENTION.run(team, level, arena, [query, key, key], output, scratch);
            }),
        ),
    ]
}

const ATTENTION: Attention = Attention { heads: 3, scale: 0.2 };

#[test]
fn every_kernel_gives_the_same_bits_however_many_take_part() {
    let input = Place::blocked(0, SHAPE, Halo { top: 2, left: 2, bottom: 2, right: 2 });
    let mut places = vec![input];
    for _ in 0..3 {
        places.push(Place::blocked(places[places.len() - 1].end(), SHAPE, Halo::default()));
    }
    let [input, other, third, output] = &places[..] else { unreachable!() };
    let scratch = output.end();
    for level in Level::available() {
        let arena = numbers(9, scratch + ATTENTION.scratch(level, other));
        for (name, call) in calls() {
            let run = |threads: usize| {
                let mut arena = arena.clone();
                with_team(threads, |team| call(team, level, &mut arena, [input, other, third, output], scratch));
                arena.truncate(scratch);
                arena
            };
            let alone = run(1);
            assert!(!same_bits(&alone, &arena[..scratch]), "{name} did nothing");
            for threads in [2, 3, 8] {
                assert!(same_bits(&alone, &run(threads)), "{name}, {level:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn an_output_whose_images_lie_over_each_other() {
    let place = |offset: usize| Place::blocked(offset, SHAPE, Halo { top: 2, left: 2, bottom: 2, right: 2 });
    let dense = |offset: usize| Place::blocked(offset, SHAPE, Halo::default());
    let (input, other) = (place(0), dense(place(0).end()));
    let third = dense(other.end());
    for image_stride in [0, third.image_stride - 1] {
        let output = Place { image_stride, ..dense(third.end()) };
        let mut arena = vec![0.0; third.end() * 2];
        for (name, call) in calls().into_iter().filter(|(name, _)| !name.contains("in place") && *name != "mean") {
            let scratch = output.end();
            assert_refused("over each other", || {
                call(&mut Team::alone(), Level::Portable, &mut arena, [&input, &other, &third, &output], scratch);
                panic!("{name} was not refused");
            });
        }
    }
}
