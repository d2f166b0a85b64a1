"""What does the C# compiler make of ONNX Runtime's sources, and of programs that use them?

    python -m outside.compile_csharp Step.cs Program.cs...

writes `Microsoft.ML.OnnxRuntime.dll` beside Step.cs, and for each program, with Step.cs in it, a
`Program.dll`. It is a process of its own, for the compiler needs a .NET runtime around it, which
Python does not get rid of again.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from outside.csharp import BINDING, COMPILER, CONFIG, RUNTIME

Texts = list[tuple[Path, str]]
"""What stands in files, which messages name."""

IMPLICIT = "".join(
    f"global using global::System{name};\n"
    for name in (
        *("", ".Collections.Generic", ".IO", ".Linq"),
        *(".Net.Http", ".Threading", ".Threading.Tasks"),
    )
)
"""What the project of `dotnet new console` adds to a program, which also compiles without."""


class Compiler:
    """Roslyn, called through pythonnet."""

    def __init__(self, config: Path) -> None:
        import_module("pythonnet").load(
            "coreclr", runtime_config=str(config), dotnet_root=str(RUNTIME)
        )
        for name in ("Microsoft.CodeAnalysis", "Microsoft.CodeAnalysis.CSharp"):
            import_module("clr").AddReference(str(COMPILER / name))
        # From here on the namespaces of .NET are modules.
        self.any = import_module("Microsoft.CodeAnalysis")
        self.csharp = import_module("Microsoft.CodeAnalysis.CSharp")
        self.basics = list(RUNTIME.glob("shared/Microsoft.NETCore.App/*/*.dll"))

    def binding(self, texts: Texts) -> Any:
        """The assembly of ONNX Runtime, as it is built for .NET Standard."""
        kind = self.any.OutputKind.DynamicallyLinkedLibrary
        options = self.csharp.CSharpCompilationOptions(kind).WithAllowUnsafe(True)
        return self._assembly("Microsoft.ML.OnnxRuntime", options, texts, (), "NETSTANDARD2_0")

    def program(self, name: str, texts: Texts, binding: Path) -> Any:
        """A program that uses it, as in a new project; warnings are errors."""
        options = self.csharp.CSharpCompilationOptions(self.any.OutputKind.ConsoleApplication)
        options = options.WithNullableContextOptions(self.any.NullableContextOptions.Enable)
        options = options.WithGeneralDiagnosticOption(self.any.ReportDiagnostic.Error)
        return self._assembly(name, options, texts, [binding])

    def _assembly(
        self, name: str, options: Any, texts: Texts, used: Iterable[Path], *symbols: str
    ) -> Any:
        parsed = self.csharp.CSharpParseOptions.Default.WithPreprocessorSymbols(symbols)
        trees = [self.csharp.CSharpSyntaxTree.ParseText(t, parsed, str(path)) for path, t in texts]
        known = [self.any.MetadataReference.CreateFromFile(str(p)) for p in (*self.basics, *used)]
        return self.csharp.CSharpCompilation.Create(
            name,
            _list(self.any.SyntaxTree, trees),
            _list(self.any.MetadataReference, known),
            options,
        )


def write(assembly: Any, path: Path) -> None:
    """The assembly as a file, or else the end, with what the compiler says."""
    memory = import_module("System.IO").MemoryStream()
    refuse_errors(assembly.Emit(memory).Diagnostics)
    path.write_bytes(bytes(memory.ToArray()))


def refuse_errors(diagnostics: Iterable[Any]) -> None:
    error = import_module("Microsoft.CodeAnalysis").DiagnosticSeverity.Error
    errors = [str(d) for d in diagnostics if d.Severity == error]
    if errors:
        sys.exit("\n".join(errors))


def _list(of: Any, values: Iterable[Any]) -> Any:
    made = import_module("System.Collections.Generic").List[of]()
    for value in values:
        made.Add(value)
    return made


def _texts(paths: Iterable[Path]) -> Texts:
    return [(path, path.read_text(encoding="utf-8-sig")) for path in paths]


def main(shared: Path, *programs: Path) -> None:
    compiler = Compiler(shared.with_name(CONFIG))
    binding = shared.with_name("Microsoft.ML.OnnxRuntime.dll")
    write(compiler.binding(_texts(sorted(BINDING.rglob("*.cs")))), binding)
    for program in programs:
        texts = _texts([shared, program])
        write(compiler.program(program.stem, texts, binding), program.with_suffix(".dll"))
        fuller = [*texts, (Path("implicit.cs"), IMPLICIT)]
        refuse_errors(compiler.program(program.stem, fuller, binding).GetDiagnostics())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
