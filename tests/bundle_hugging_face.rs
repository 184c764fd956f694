//! Hugging Face exports read as they are. The configurations have the fields that transformers writes for the families
//! they are named after; what only training needs is left out.

use serde_json::{Value, json};
use strongroom::bundle::{
    Activation, Bundle, BundleError, ColorOrder, Decoder, Files, ImageInput, Interpolation, Labels, Manifest, Pooling,
    Resize, Task,
};

fn files(config: &Value, preprocessor: &Value) -> Files {
    let files = [("config.json", config.to_string()), ("preprocessor_config.json", preprocessor.to_string())];
    let graph = [("model.onnx", "graph".to_owned())];
    files.into_iter().chain(graph).map(|(name, text)| (name.to_owned(), text.into())).collect()
}

fn read(config: &Value, preprocessor: &Value) -> Manifest {
    Bundle::from_files(files(config, preprocessor)).unwrap().manifest().clone()
}

fn refusal(config: &Value, preprocessor: &Value) -> String {
    Bundle::from_files(files(config, preprocessor)).unwrap_err().to_string()
}

fn classifier() -> Value {
    json!({"architectures": ["ViTForImageClassification"], "_name_or_path": "someone/Pets-ViT_base",
           "id2label": {"1": "dog", "0": "cat", "2": "fish"}, "model_type": "vit"})
}

fn vit() -> Value {
    json!({"image_processor_type": "ViTImageProcessor", "do_resize": true, "size": {"height": 224, "width": 224}, "resample": 2,
           "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true,
           "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.125]})
}

fn merged(mut base: Value, more: Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

fn input(preprocessor: &Value) -> ImageInput {
    match read(&classifier(), preprocessor).task {
        Task::Classify(task) => task.input,
        other => panic!("{other:?}"),
    }
}

fn geometry(preprocessor: &Value) -> (u32, u32, Resize) {
    let input = input(preprocessor);
    (input.width, input.height, input.resize)
}

#[test]
fn an_image_classifier_is_served_with_softmax_and_its_labels_in_order() {
    let manifest = read(&classifier(), &vit());
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("pets-vit_base", "0.0.0"));
    let Task::Classify(task) = manifest.task else { panic!("{:?}", manifest.task) };
    assert_eq!(task.labels, Labels::List(vec!["cat".to_owned(), "dog".to_owned(), "fish".to_owned()]));
    assert_eq!((task.activation, task.top_k), (Activation::Softmax, 5));
    assert_eq!((task.graph.as_str(), task.output.as_deref()), ("model.onnx", Some("logits")));
    assert_eq!(task.input.name.as_deref(), Some("pixel_values"));
}

#[test]
fn pixels_are_scaled_before_the_mean_is_subtracted() {
    let pixels = input(&vit()).pixels;
    assert_eq!((pixels.scale, pixels.mean, pixels.std), (1.0 / 255.0, [0.5; 3], [0.5, 0.25, 0.125]));
}

#[test]
fn labels_that_exclude_nothing_are_scored_on_their_own() {
    let config = merged(classifier(), json!({"problem_type": "multi_label_classification"}));
    let Task::Classify(task) = read(&config, &vit()).task else { panic!() };
    assert_eq!(task.activation, Activation::Sigmoid);
}

#[test]
fn the_graph_may_lie_where_optimum_puts_it() {
    let mut files = files(&classifier(), &vit());
    let graph = files.remove("model.onnx").unwrap();
    files.insert("onnx/model.onnx".to_owned(), graph);
    let bundle = Bundle::from_files(files).unwrap();
    let Task::Classify(task) = &bundle.manifest().task else { panic!() };
    assert_eq!(task.graph, "onnx/model.onnx");
}

#[test]
fn every_form_of_size_is_read() {
    let sized = |more: Value| geometry(&merged(vit(), more));
    assert_eq!(sized(json!({})), (224, 224, Resize::Stretch));
    assert_eq!(sized(json!({"size": 384})), (384, 384, Resize::Stretch));
    assert_eq!(sized(json!({"size": {"height": 200, "width": 300}})), (300, 200, Resize::Stretch));
    let clip =
        json!({"size": {"shortest_edge": 256}, "do_center_crop": true, "crop_size": {"height": 224, "width": 220}});
    assert_eq!(sized(clip), (220, 224, Resize::ShorterSideFloor(256)));
    let old = json!({"size": 256, "do_center_crop": true, "crop_size": 224});
    assert_eq!(sized(old), (224, 224, Resize::ShorterSideFloor(256)));
    let not_cropped = json!({"do_center_crop": false, "crop_size": 112});
    assert_eq!(sized(not_cropped), (224, 224, Resize::Stretch));
}

#[test]
fn convnext_crops_by_its_share_below_384_and_stretches_from_there() {
    let convnext = |side: u32| {
        let more = json!({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": side}, "crop_pct": 0.875});
        geometry(&merged(vit(), more))
    };
    assert_eq!(convnext(224), (224, 224, Resize::ShorterSideFloor(256)));
    assert_eq!(convnext(384), (384, 384, Resize::Stretch));
}

#[test]
fn levit_scales_by_256_over_224() {
    let more = json!({"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 224}});
    assert_eq!(geometry(&merged(vit(), more)), (224, 224, Resize::ShorterSideFloor(256)));
}

#[test]
fn filters_have_pillows_numbers() {
    let filter = |number: u8| input(&merged(vit(), json!({"resample": number}))).interpolation;
    let expected = [Interpolation::Nearest, Interpolation::Lanczos, Interpolation::Bilinear, Interpolation::Bicubic];
    assert_eq!([0, 1, 2, 3].map(filter), expected);
    assert!(
        refusal(&classifier(), &merged(vit(), json!({"resample": 4})))
            .contains("preprocessor_config.json: field resample")
    );
}

#[test]
fn steps_that_are_off_change_nothing() {
    let off = json!({"do_rescale": false, "do_normalize": false});
    let pixels = input(&merged(vit(), off)).pixels;
    assert_eq!((pixels.scale, pixels.mean, pixels.std), (1.0, [0.0; 3], [1.0; 3]));
}

#[test]
fn mobilevit_flips_the_channels() {
    let pixels = input(&merged(vit(), json!({"do_flip_channel_order": true}))).pixels;
    assert_eq!((pixels.color_order, pixels.std), (ColorOrder::Bgr, [0.125, 0.25, 0.5]));
}

#[test]
fn efficientnet_divides_twice_and_may_shift_by_one() {
    let more =
        json!({"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": true, "rescale_factor": 0.5});
    let pixels = input(&merged(vit(), more)).pixels;
    assert_eq!((pixels.scale, pixels.mean, pixels.std), (0.5, [1.5; 3], [0.25, 0.0625, 0.015625]));
}

#[test]
fn a_detector_keeps_boxes_that_overlap() {
    let config = merged(classifier(), json!({"architectures": ["YolosForObjectDetection"]}));
    let preprocessor = merged(vit(), json!({"size": {"shortest_edge": 512, "longest_edge": 864}}));
    let Task::Detect(task) = read(&config, &preprocessor).task else { panic!() };
    assert_eq!((task.decoder, task.iou_threshold, task.score_threshold), (Decoder::Detr {}, 1.0, 0.5));
    assert_eq!((task.input.width, task.input.height), (512, 512));
}

#[test]
fn a_bare_model_gives_a_vector() {
    let embedder =
        |architecture: &str| match read(&merged(classifier(), json!({"architectures": [architecture]})), &vit()).task {
            Task::Embed(task) => (task.output.unwrap(), task.pooling),
            other => panic!("{other:?}"),
        };
    assert_eq!(embedder("ViTModel"), ("last_hidden_state".to_owned(), Pooling::First));
    assert_eq!(embedder("Dinov2Model"), ("last_hidden_state".to_owned(), Pooling::First));
    assert_eq!(embedder("ResNetModel"), ("last_hidden_state".to_owned(), Pooling::Mean));
    assert_eq!(embedder("CLIPVisionModelWithProjection"), ("image_embeds".to_owned(), Pooling::None));
}

#[test]
fn a_licence_is_read_and_never_invented() {
    assert_eq!(read(&classifier(), &vit()).license, "NOASSERTION");
    let mut with_card = files(&classifier(), &vit());
    with_card.insert("README.md".to_owned(), "---\ntags: [x]\nlicense: apache-2.0\n---\nlicense: none\n".into());
    assert_eq!(Bundle::from_files(with_card).unwrap().manifest().license, "apache-2.0");
}

#[test]
fn errors_name_the_file_and_the_field() {
    let config = |more: Value| merged(classifier(), more);
    let cases = [
        (
            config(json!({"architectures": ["BertForMaskedLM"]})),
            vit(),
            "config.json: field architectures BertForMaskedLM",
        ),
        (
            config(json!({"architectures": ["RTDetrForObjectDetection"]})),
            vit(),
            "RTDetrForObjectDetection scores boxes unlike DETR; export it with its boxes decoded and write a model.toml",
        ),
        (
            config(json!({"architectures": ["SiglipVisionModel"]})),
            vit(),
            "SiglipVisionModel is none that is served as it is; write a model.toml",
        ),
        (config(json!({"architectures": []})), vit(), "config.json: field architectures names none"),
        (config(json!({"id2label": {"0": "a", "2": "b"}})), vit(), "config.json: field id2label has no \"1\""),
        (config(json!({"id2label": null})), vit(), "config.json: field id2label is missing"),
        (classifier(), merged(vit(), json!({"size": null})), "preprocessor_config.json: field size is missing"),
        (classifier(), merged(vit(), json!({"size": {"width": 3}})), "preprocessor_config.json: field size is neither"),
        (classifier(), merged(vit(), json!({"image_mean": [0.5]})), "field image_mean must be three numbers"),
        (classifier(), merged(vit(), json!({"image_std": null})), "field image_mean or image_std is missing"),
        (classifier(), merged(vit(), json!({"do_resize": false})), "field do_resize is false"),
        (classifier(), merged(vit(), json!({"do_center_crop": true, "crop_size": 112})), "field do_center_crop cuts"),
        (classifier(), merged(vit(), json!({"crop_pct": 1e-30, "size": 224})), "field crop_pct"),
        (classifier(), merged(vit(), json!({"image_std": [0, 1, 1]})), "std must not be 0"),
    ];
    for (config, preprocessor, expected) in cases {
        let found = refusal(&config, &preprocessor);
        assert!(found.contains(expected), "expected `{expected}`, found `{found}`");
    }
}

#[test]
fn a_missing_preprocessor_is_named() {
    let mut files = files(&classifier(), &vit());
    files.remove("preprocessor_config.json");
    assert!(
        matches!(Bundle::from_files(files), Err(BundleError::MissingFile { name }) if name == "preprocessor_config.json")
    );
}
