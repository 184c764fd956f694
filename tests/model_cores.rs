//! Inference threads without a job take part in what others compute: the answers stay the same to the last bit.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use strongroom::bundle::Files;
use strongroom::model::{Binding, Graph, Pool, RunError, Session, Tensor};

const DEADLINE: Duration = Duration::from_secs(300);
const GRAPHS: [&str; 3] = [
    "imagenet-efficientnet-lite0/efficientnet_lite0",
    "face-analyzer/centerface_640x480",
    "face-analyzer/face_recognition",
];

fn load(name: &str) -> Arc<Graph> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("model-artifacts").join(name).with_extension("onnx");
    let files = Files::from([("m.onnx".to_owned(), std::fs::read(file).unwrap().into())]);
    Graph::load(&files, "m.onnx", &Binding::default()).unwrap()
}

fn inputs(graph: &Graph, seed: usize) -> Vec<Tensor> {
    let tensor = |shape: &[usize]| {
        let numbers = (0..shape.iter().product()).map(|at: usize| ((at * 37 + seed) % 256) as f32 / 128.0 - 1.0);
        Tensor::new(shape, &numbers.collect::<Vec<f32>>()).unwrap()
    };
    graph.signature().inputs.iter().map(|port| tensor(&port.shape)).collect()
}

fn bits(outputs: &[Tensor]) -> Vec<u32> {
    outputs.iter().flat_map(|output| output.values::<f32>().unwrap()).map(|number| number.to_bits()).collect()
}

fn pool(graph: &Arc<Graph>, threads: usize) -> Pool<Session> {
    let graph = Arc::clone(graph);
    Pool::start(threads, 64, move || graph.session()).unwrap()
}

/// What `requests` at a time come to.
fn answers(pool: &Pool<Session>, graph: &Arc<Graph>, requests: usize) -> Vec<Vec<u32>> {
    let answers: Vec<_> = (0..requests)
        .map(|_| {
            let (tell, told) = mpsc::channel();
            let inputs = inputs(graph, 5);
            let job =
                move |session: &mut Session| tell.send(session.run(inputs).map(|outputs| bits(&outputs))).unwrap();
            pool.submit(job).unwrap();
            told
        })
        .collect();
    let answer = |told: mpsc::Receiver<Result<_, RunError>>| told.recv_timeout(DEADLINE).unwrap().unwrap();
    answers.into_iter().map(answer).collect()
}

#[test]
fn one_request_is_answered_the_same_however_many_threads_there_are() {
    for name in GRAPHS {
        let graph = load(name);
        let alone = bits(&graph.session().unwrap().run(inputs(&graph, 5)).unwrap());
        for threads in [1, 2, 3, 8] {
            let pool = pool(&graph, threads);
            for _ in 0..3 {
                assert!(answers(&pool, &graph, 1) == [&alone[..]], "{name}, {threads} threads");
            }
        }
    }
}

#[test]
fn requests_that_come_meanwhile_are_answered_the_same() {
    let graph = load(GRAPHS[0]);
    let alone = bits(&graph.session().unwrap().run(inputs(&graph, 5)).unwrap());
    let pool = pool(&graph, 3);
    for requests in (1..12).chain([1, 1]) {
        let answers = answers(&pool, &graph, requests);
        assert!(answers.iter().all(|answer| *answer == alone), "{requests} requests");
    }
}
