// Dependencies point down: castle → CastleServer → Services → Engines, Platform → Pure (Documentation/architecture.md).

import Testing

@Suite("Arrows between modules")
struct ArrowTests {
  let house = Repository.shared

  /// Each import of one of our own modules that is not among `allowed`.
  private func strays(in files: [SwiftSource], allowed: Set<String>) -> [String] {
    let ours = Set(house.modules.keys)
    return files.flatMap { file in
      file.imports.filter { ours.contains($0) && !allowed.contains($0) }.sorted().map { "\(file.path) imports \($0)" }
    }
  }

  @Test("the tests find the modules, as a check of themselves")
  func modulesAreFound() {
    #expect(house.modules["AWSCore"] == "Sources/Pure/AWSCore")
    #expect(house.modules["GateCore"] == "Sources/Engines/Gate")
    #expect(house.modules["castle"] == "Sources/castle")
    #expect(house.modules["KMSService"] == "Sources/Services/KMS")
    #expect(house.modules["KMSModel"] == "Sources/Models/KMS")
    #expect(house.modules["Dashboard"] == "Sources/Dashboard")
    #expect(house.modules["CLinux"] == "Sources/Platform/CLinux")
    #expect(house.sources.count > 200)
    #expect(house.sources.first { $0.path.hasSuffix("SwiftSource.swift") }?.imports == ["Foundation"])
  }

  @Test("no service imports another service")
  func servicesAreApart() {
    let services = house.moduleNames(in: "Sources/Services")
    let offenders = house.files(in: "Sources/Services").flatMap { file in
      let own = "\(file.path.split(separator: "/")[2])Service"
      return file.imports.intersection(services).subtracting([own]).sorted().map { "\(file.path) imports \($0)" }
    }
    expectNone(offenders, "A service reaches another one through CallContext.invoke and its model")
  }

  @Test("services see models, ServiceKit, EngineKit, Store, engines and what is pure, and nothing above or beside")
  func servicesLookDown() {
    let allowed = house.moduleNames(in: "Sources/Models", "Sources/Pure", "Sources/Engines")
      .union(["ServiceKit", "MetricsKit", "Store", "Supervisor", "EngineKit", "Certificates"])
    expectNone(strays(in: house.files(in: "Sources/Services"), allowed: allowed), "Services look down only")
    let banned: Set = [
      "GRDB", "GRDBSQLite", "Hummingbird", "NIOPosix", "NIOHTTP1", "AsyncHTTPClient", "ArgumentParser",
    ]
    let offenders = house.files(in: "Sources/Services").flatMap { file in
      file.imports.intersection(banned).map { "\(file.path) imports \($0)" }
    }
    expectNone(offenders, "SQL and sockets are the platform's")
  }

  @Test("pure modules touch no file, socket, clock or environment")
  func pureIsPure() {
    let packages: Set = ["Crypto", "Yams", "FoundationEssentials", "Synchronization"]
    let allowed = packages.union(house.moduleNames(in: "Sources/Pure"))
    let pure = house.files(in: "Sources/Pure")
    let imports = pure.flatMap { file in
      file.imports.subtracting(allowed).sorted().map { "\(file.path) imports \($0)" }
    }
    expectNone(imports, "Pure modules import only \(packages.sorted()) and each other")
    let touches = ["FileManager", "ProcessInfo", "getenv", "FileHandle", "URLSession", "print("]
    let offenders = pure.flatMap { file in
      touches.flatMap { word in file.occurrences(of: word).map { "\(file.path):\($0) uses \(word)" } }
    }
    expectNone(offenders, "Pure modules compute")
  }

  @Test("the platform knows no service, no engine and no model, but for CloudWatch's, which MetricsKit speaks")
  func platformKnowsNoService() {
    let allowed = house.moduleNames(in: "Sources/Platform", "Sources/Pure")
    let files = house.files(in: "Sources/Platform")
    let metrics = files.filter { $0.path.hasPrefix("Sources/Platform/MetricsKit/") }
    let others = files.filter { !$0.path.hasPrefix("Sources/Platform/MetricsKit/") }
    expectNone(strays(in: others, allowed: allowed.subtracting(["MetricsKit"])), "The platform looks down only")
    expectNone(strays(in: metrics, allowed: allowed.union(["CloudWatchModel"])), "MetricsKit calls CloudWatch only")
  }

  @Test("engines know nothing of AWS")
  func enginesKnowNoAWS() {
    // AWSCore has the clock and JSON; its ARNs and errors are not used here, see below.
    let allowed = house.moduleNames(in: "Sources/Engines").union([
      "AWSCore", "HTTPWire", "ByteRegex", "LinearRegex", "WebACL", "TrafficBaseline", "Supervisor", "Disk",
      "CLinux",
    ])
    let engines = house.files(in: "Sources/Engines")
    expectNone(strays(in: engines, allowed: allowed), "Engines take plain Swift values")
    let offenders = engines.flatMap { file in
      ["ARN", "AWSError", "AccountID"].flatMap { word in
        file.occurrences(of: word).map { "\(file.path):\($0) uses \(word)" }
      }
    }
    expectNone(offenders, "Engines have errors and names of their own")
  }

  @Test("models see AWSCore and AWSWire only")
  func modelsAreShapes() {
    var offenders: [String] = []
    for path in house.generated {
      let head = (house.text(path) ?? "").split(separator: "\n", maxSplits: 12)
      let imports = head.filter { $0.hasPrefix("import ") }.map { String($0.dropFirst(7)) }
      let strays = Set(imports).subtracting(["AWSCore", "AWSWire"])
      if !strays.isEmpty { offenders.append("\(path) imports \(strays.sorted())") }
    }
    expectNone(offenders, "Models are shapes")
  }

  @Test("the command and the dashboard know the server, no service")
  func theCommandKnowsNoService() {
    let command: Set = ["AWSCore", "CastleServer", "Supervisor", "Blueprint", "Templates"]
    expectNone(strays(in: house.files(in: "Sources/castle"), allowed: command), "The command parses and prints")
    let dashboard: Set = ["AWSCore", "ServiceKit", "AWSWire"]
    expectNone(
      strays(in: house.files(in: "Sources/Dashboard"), allowed: dashboard), "The dashboard draws what it is given")
  }

  @Test("only the store and the file engines use SQLite, only edge and command speak HTTP")
  func packagesHaveTheirPlace() {
    let places: [String: [String]] = [
      "GRDB": [
        "Sources/Platform/Store", "Sources/Platform/Disk", "Sources/Engines/ObjectStore", "Sources/Engines/LogStore",
      ],
      "GRDBSQLite": ["Sources/Platform/Disk"],
      "NIOHTTP1": ["Sources/Platform/Edge"],
      "CPostgreSQL": ["Sources/Engines/Postgres"],
      "COpenSSL": ["Sources/Engines/Gate", "Sources/Engines/Fetch"],
      "Yams": ["Sources/Pure/Blueprint", "Sources/Pure/Templates"],
      "ArgumentParser": ["Sources/castle"],
    ]
    let offenders = house.files(in: "Sources").flatMap { file in
      file.imports.sorted().compactMap { name -> String? in
        guard let allowed = places[name], !allowed.contains(where: { file.path.hasPrefix("\($0)/") }) else {
          return nil
        }
        return "\(file.path) imports \(name)"
      }
    }
    expectNone(offenders, "A package is used in one place")
  }
}
