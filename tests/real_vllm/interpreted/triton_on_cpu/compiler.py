"""The other half that Triton looks for in a backend."""

from triton.backends.compiler import BaseBackend

from .driver import NOTHING_IS_COMPILED


class CpuBackend(BaseBackend):
    @staticmethod
    def supports_target(target):
        return target.backend == "cpu"

    def hash(self):
        return "interpreted"

    def get_module_map(self):
        return {}

    def load_dialects(self, context):
        pass

    def parse_options(self, options):
        raise NotImplementedError(NOTHING_IS_COMPILED)

    def add_stages(self, stages, options, language):
        raise NotImplementedError(NOTHING_IS_COMPILED)
