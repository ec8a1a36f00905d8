// What our sources never contain, and how long they may be (CONTRIBUTING.md).

import Testing

@Suite("Rules for sources")
struct RuleTests {
  let house = Repository.shared

  private var programs: [SwiftSource] { house.files(in: "Sources") }

  /// `path:line` of each use of one of the words, outside the excused files.
  private func uses(
    of words: [String], in files: [SwiftSource], except excused: [String] = []
  ) -> [String] {
    files.filter { file in !excused.contains { file.path.hasPrefix($0) } }.flatMap { file in
      words.flatMap { word in file.occurrences(of: word).map { "\(file.path):\($0) \(word)" } }
    }
  }

  @Test("the heavy parts of Foundation stay out")
  func noHeavyFoundation() {
    let banned: Set = ["FoundationNetworking", "FoundationXML"]
    let offenders = house.sources.flatMap { file in
      file.imports.intersection(banned).map { "\(file.path) imports \($0)" }
    }
    expectNone(offenders, "They pull in libcurl and libxml2")
  }

  @Test("nothing is forced that input decides")
  func nothingIsForced() {
    expectNone(uses(of: ["try!", "as!"], in: house.files(in: "Sources", "Examples")), "Throw, or say what is wrong")
  }

  @Test("time and names come from the injected clock and identifiers")
  func timeIsInjected() {
    let excused = [
      "Sources/Pure/AWSCore/Clock.swift",  // the system clock itself
      "Sources/Pure/AWSCore/Identifiers.swift",  // the system's source of identifiers itself
      "Sources/castle/",  // a person's terminal: how long did it take
      "Sources/Tools/",
    ]
    expectNone(
      uses(of: ["Date()", "Date.now", "UUID()", "SystemRandomNumberGenerator"], in: programs, except: excused),
      "Use call.now and call.ids, or the environment's")
  }

  @Test("tasks are structured")
  func noDetachedTasks() {
    expectNone(uses(of: ["Task.detached"], in: programs), "A detached task outlives what started it")
  }

  @Test("nothing blocks the two threads that all asynchronous code shares")
  func nothingBlocks() {
    let excused = [
      "Sources/Platform/Disk/",  // threads of its own, made to be blocked
      "Sources/Tools/",  // programs that do one thing and end
      "Sources/Engines/Gate/",  // bare loops on their own threads
      "Sources/Engines/GateProgram/",
    ]
    expectNone(
      uses(
        of: ["usleep(", "Thread.sleep", "DispatchSemaphore", "waitUntilExit", "sem_wait"], in: programs, except: excused
      ),
      "Await an event, or use a thread of its own")
  }

  @Test("what the compiler is told to believe has its reason beside it")
  func uncheckedHasAReason() {
    let offenders = house.sources.flatMap { file in
      ["@unchecked Sendable", "nonisolated(unsafe)"].flatMap { word in
        file.occurrences(of: word).filter { !Self.hasComment(file, $0) }.map { "\(file.path):\($0) \(word)" }
      }
    }
    expectNone(offenders, "Say in a comment above it why it holds")
  }

  /// Whether the line, or one of the three above it, has a comment.
  private static func hasComment(_ file: SwiftSource, _ line: Int) -> Bool {
    (max(0, line - 4)..<line).contains { file.lines[$0].contains("//") }
  }

  @Test("there is nothing for later in the sources")
  func nothingForLater() {
    // Put together here, so that this file does not contain them.
    let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
    let offenders = house.sources.flatMap { file in
      file.lines.enumerated().compactMap { index, line in
        words.contains { line.contains("\($0):") || line.contains("\($0) ") && line.contains("//") }
          ? "\(file.path):\(index + 1)" : nil
      }
    }
    expectNone(offenders, "Do it, or write it in the README's Not yet")
  }

  @Test("only programs print")
  func onlyProgramsPrint() {
    let excused = ["Sources/castle/", "Sources/Tools/", "Sources/Engines/GateProgram/"]
    expectNone(uses(of: ["print("], in: programs, except: excused), "Log it")
  }

  @Test("a file says in its first line what it is")
  func filesIntroduceThemselves() {
    let offenders = house.sources.filter { !$0.text.hasPrefix("//") && !$0.text.hasPrefix("#!") }.map(\.path)
    expectNone(offenders, "Begin with a comment")
  }

  @Test("a file has at most 600 lines")
  func filesAreShort() {
    expectNone(
      house.sources.filter { $0.lines.count > 601 }.map { "\($0.path): \($0.lines.count) lines" }, "Split it")
  }

  @Test("a function has at most 80 lines")
  func functionsAreShort() {
    let offenders = house.sources.flatMap { file in
      file.functions.filter { $0.length > 80 }.filter { !Self.longButPlain.contains("\(file.path) \($0.name)") }
        .map { "\(file.path):\($0.line) \($0.name): \($0.length) lines" }
    }
    expectNone(offenders, "Split it")
  }

  /// Long because they are one list, which reads best in one piece.
  private static let longButPlain: Set<String> = [
    "Sources/Services/IAM/Operations/Tags.swift addTagOperations"
  ]

  @Test("generated files say so, and are not formatted by hand")
  func generatedFilesSaySo() {
    #expect(house.generated.count >= 19)
    let offenders = house.generated.filter { path in
      !(house.text(path) ?? "").prefix(400).contains("Generated by modelgen")
    }
    expectNone(offenders, "Write it with Tools/generate")
  }
}
