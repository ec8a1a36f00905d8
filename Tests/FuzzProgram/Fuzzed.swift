// castle-fuzz: libFuzzer (https://llvm.org/docs/LibFuzzer.html) in front of the target that
// CASTLE_FUZZ_TARGET names. Tools/fuzz builds and runs it.
import FuzzTargets
import Glibc

private let target: FuzzTarget = {
  let name = getenv("CASTLE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    let text = "CASTLE_FUZZ_TARGET=\(name) is none of \(names)\n"
    write(STDERR_FILENO, text, text.utf8.count)
    exit(64)
  }
  return target
}()

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The package manager wants a program's entrance under this name; libFuzzer's archive has one under `main`.
@_cdecl("castle_fuzz_main")
public func entrance(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
  var count = count
  var arguments = arguments
  return runDriver(&count, &arguments) { testOneInput($0, $1) }
}
