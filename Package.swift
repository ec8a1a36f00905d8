// swift-tools-version: 6.2
// The modules of Castle. Dependencies point down: castle → CastleServer → Services → Engines, Platform → Pure
// (Documentation/architecture.md); ArchitectureTests checks the arrows.
import PackageDescription

// MARK: - Packages

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let house: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

func module(
  _ name: String, _ path: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/\(path)", exclude: [], resources: resources,
    swiftSettings: house)
}

/// The Gate's byte loops: in optimised builds without the run-time checks for exclusive access, which the one-thread
/// design of a loop makes needless and which cost a tenth of its time.
func dataPlane(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/\(path)",
    swiftSettings: house + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))])
}

func program(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: house)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: house)
}

// MARK: - Fuzzing

/// Only where Tools/fuzz asks for it: it links with libFuzzer, which has a main of its own.
let fuzzing: [Target] =
  Context.environment["CASTLE_FUZZ"] == nil
  ? []
  : [
    .executableTarget(
      name: "castle-fuzz", dependencies: ["FuzzTargets"], path: "Tests/FuzzProgram",
      swiftSettings: house + [.unsafeFlags(["-parse-as-library"])], linkerSettings: [.unsafeFlags(["-use-ld=lld"])])
  ]

// MARK: - Models and services

/// One generated module per AWS API: request and response shapes, and the schema that the wire reads.
let models = [
  "ACM", "ARCZonalShift", "ApplicationAutoScaling", "CloudFormation", "CloudWatch", "CloudWatchLogs", "EC2", "ECR",
  "ECS", "ELBv2", "ElastiCache", "IAM", "KMS", "RDS", "Route53", "S3", "STS", "SecretsManager", "Shield", "WAFv2",
]

func model(_ name: String) -> Target { module("\(name)Model", "Models/\(name)", ["AWSCore", "AWSWire"]) }

/// A service module: what every service sees, its own model, the models of the services it calls, and its engines.
func service(_ name: String, calls: [String] = [], _ engines: [Target.Dependency] = []) -> Target {
  .target(
    name: "\(name)Service",
    dependencies: ["AWSCore", "AWSWire", "ServiceKit", "Store", logging]
      + ([name] + calls).map { .byName(name: "\($0)Model") } + engines,
    path: "Sources/Services/\(name)", exclude: ["README.md"], swiftSettings: house)
}

let services: [Target] = [
  service("ACM", calls: ["ELBv2", "Route53"], ["Certificates", "MetricsKit", x509, asn1, crypto]),
  service("ARCZonalShift", calls: ["EC2", "ELBv2"], ["GateProtocol"]),
  service("ApplicationAutoScaling", calls: ["ECS", "RDS"]),
  service("CloudFormation", calls: ["S3", "SecretsManager"], ["Templates"]),
  service("CloudWatch"),
  service("CloudWatchLogs", calls: ["KMS"], ["LogStore"]),
  service("EC2", calls: ["ELBv2"]),
  service("ECR", calls: ["KMS"]),
  service("ECS", calls: ["CloudWatchLogs", "EC2", "ELBv2", "IAM", "STS", "SecretsManager"], ["Tasks", "Supervisor"]),
  service(
    "ELBv2", calls: ["ACM", "EC2", "S3"],
    ["ByteRegex", "GateProtocol", "GateTokens", "Fetch", "Compression", "MetricsKit", "Policy", x509, asn1, crypto]),
  service("ElastiCache", calls: ["EC2", "KMS"], ["RedisEngine", "EngineKit", "GateProtocol", "Supervisor"]),
  service("IAM", calls: ["STS"], ["Policy", crypto, x509]),
  service("KMS", ["Digests", "Policy", crypto, cryptoExtras]),
  service(
    "RDS", calls: ["EC2", "KMS", "SecretsManager"], ["PostgresEngine", "EngineKit", "GateProtocol", "Supervisor"]),
  service("Route53", calls: ["CloudWatch"], ["HealthProbe", "MetricsKit"]),
  service("S3", calls: ["KMS"], ["ObjectStore", "Policy", "SigV4", crypto]),
  service("SecretsManager", calls: ["KMS", "RDS"], ["Policy", crypto]),
  service("Shield", calls: ["ELBv2", "WAFv2"], ["GateProtocol", "MetricsKit"]),
  service(
    "WAFv2", calls: ["CloudWatchLogs", "ELBv2", "S3", "Shield"],
    ["Compression", "GateProtocol", "LinearRegex", "MetricsKit", "WebACL"]),
]

// MARK: - The package

let package = Package(
  name: "castle",
  products: [
    .executable(name: "castle", targets: ["castle"]),
    .executable(name: "castle-gate", targets: ["castle-gate"]),
    .executable(name: "castle-shim", targets: ["castle-shim"]),
    .executable(name: "modelgen", targets: ["modelgen"]),
    .executable(name: "storefront-frontend", targets: ["storefront-frontend"]),
    .executable(name: "storefront-backend", targets: ["storefront-backend"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Pure: no files, sockets, clock or environment.
    .target(name: "CChecksum", path: "Sources/Pure/CChecksum"),
    module("AWSCore", "Pure/AWSCore", ["CChecksum"]),
    module("AWSWire", "Pure/AWSWire", ["AWSCore"]),
    module("SigV4", "Pure/SigV4", ["AWSCore", crypto]),
    module("Policy", "Pure/Policy", ["AWSCore"]),
    module("Blueprint", "Pure/Blueprint", [yams]),
    module("Templates", "Pure/Templates", [yams]),
    dataPlane("HTTPWire", "Pure/HTTPWire"),
    dataPlane("ByteRegex", "Pure/ByteRegex"),
    dataPlane("LinearRegex", "Pure/LinearRegex"),
    dataPlane("Digests", "Pure/Digests"),
    dataPlane("WebACL", "Pure/WebACL", ["AWSCore", "Digests", "LinearRegex"]),
    module("TrafficBaseline", "Pure/TrafficBaseline"),
    .systemLibrary(name: "CZlib", path: "Sources/Pure/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    module("Compression", "Pure/Compression", ["CZlib"]),

    // Platform
    .target(name: "CLinux", path: "Sources/Platform/CLinux"),
    // Plain C, linked statically and without Swift's start-up: else it would load the Swift runtime for nothing, once for each process it holds.
    .executableTarget(
      name: "castle-shim", path: "Sources/Platform/Shim",
      linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])]),
    module("Supervisor", "Platform/Supervisor", ["AWSCore", "CLinux", logging]),
    module("Disk", "Platform/Disk", [grdb, sqlite]),
    module("Store", "Platform/Store", ["AWSCore", "Disk", grdb, crypto, logging]),
    module("ServiceKit", "Platform/ServiceKit", ["AWSCore", "AWSWire", "Policy", "Store", logging]),
    module("MetricsKit", "Platform/MetricsKit", ["AWSCore", "AWSWire", "CloudWatchModel", "ServiceKit", logging]),
    module("Certificates", "Platform/Certificates", ["AWSCore", x509, asn1, crypto, cryptoExtras]),
    module("EngineKit", "Platform/EngineKit", ["ServiceKit", "Store", "Supervisor", logging]),
    module(
      "Edge", "Platform/Edge",
      [
        "AWSCore", "AWSWire", "SigV4", "ServiceKit", "Certificates", nioCore, nioPosix, nioHTTP1, nioSSL, x509, asn1,
        crypto, logging,
      ]),

    // Engines: they know nothing of AWS.
    module("GateProtocol", "Engines/GateProtocol", ["WebACL"]),
    .systemLibrary(
      name: "COpenSSL", path: "Sources/Engines/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    module("GateTokens", "Engines/GateTokens", ["AWSCore", crypto, cryptoExtras]),
    module("Fetch", "Engines/Fetch", ["HTTPWire", "COpenSSL"]),
    dataPlane(
      "GateCore", "Engines/Gate",
      [
        "GateProtocol", "GateTokens", "Fetch", "HTTPWire", "ByteRegex", "TrafficBaseline", "WebACL", "CLinux",
        "COpenSSL",
      ]),
    program("castle-gate", "Sources/Engines/GateProgram", ["GateCore", "GateProtocol"]),
    module("HealthProbe", "Engines/HealthProbe", ["HTTPWire", nioCore, nioPosix, nioSSL, nioTLS]),
    .systemLibrary(
      name: "CPostgreSQL", path: "Sources/Engines/CPostgreSQL", pkgConfig: "libpq",
      providers: [.apt(["libpq-dev"])]),
    module("PostgresEngine", "Engines/Postgres", ["AWSCore", "CLinux", "Supervisor", "CPostgreSQL", logging]),
    module("RedisEngine", "Engines/Redis", ["AWSCore", "CLinux", "Supervisor", logging]),
    module("Tasks", "Engines/Tasks", ["AWSCore", "Supervisor", logging]),
    module("ObjectStore", "Engines/ObjectStore", ["AWSCore", "Disk", grdb, crypto]),
    module("LogStore", "Engines/LogStore", ["AWSCore", "Disk", grdb]),

    // The composition and the command
    .target(
      name: "Dashboard",
      dependencies: ["AWSCore", "ServiceKit", logging], path: "Sources/Dashboard",
      resources: [.embedInCode("Assets")], swiftSettings: house),
    module(
      "CastleServer", "CastleServer",
      [
        "AWSCore", "AWSWire", "SigV4", "Policy", "Store", "ServiceKit", "Certificates", "Edge", "Supervisor",
        "GateProtocol", "Tasks",
        "Dashboard",
        "Blueprint", "Templates", logging,
      ] + services.map { .byName(name: $0.name) } + models.map { .byName(name: "\($0)Model") }),
    program(
      "castle", "Sources/castle",
      [
        "AWSCore", "CastleServer", "Supervisor", "Blueprint", "Templates", argumentParser, asyncHTTPClient, logging,
        nioCore, nioPosix,
      ]),
    .executableTarget(
      name: "modelgen", dependencies: ["AWSWire"], path: "Sources/Tools/modelgen", exclude: ["operations.txt"],
      swiftSettings: house),

    // Examples
    program(
      "storefront-frontend", "Examples/storefront/Sources/Frontend", ["StorefrontKit", hummingbird, asyncHTTPClient]),
    program(
      "storefront-backend", "Examples/storefront/Sources/Backend",
      [
        "StorefrontKit", "CPostgreSQL", "SigV4", "AWSCore", hummingbird, asyncHTTPClient, crypto, logging, lifecycle,
        nioCore, nioPosix,
      ]),
    .target(
      name: "StorefrontKit",
      dependencies: [hummingbird, httpTypes, logging, lifecycle, nioCore, nioPosix],
      path: "Examples/storefront/Sources/Kit", swiftSettings: house),

    // Tests
    .target(
      name: "CastleTesting",
      dependencies: ["AWSCore", "ServiceKit", "Store", "CastleServer", "Supervisor", "CTesting", logging],
      path: "Sources/Testing", swiftSettings: house),
    .target(name: "CTesting", path: "Sources/TestingC"),
    tests("ArchitectureTests", []),
    tests("AWSCoreTests", ["AWSCore"]),
    tests(
      "AWSWireTests", ["AWSCore", "AWSWire", "CastleTesting"] + models.map { .byName(name: "\($0)Model") },
      exclude: ["Golden"]),
    tests("SigV4Tests", ["AWSCore", "SigV4"]),
    tests("PolicyTests", ["Policy"]),
    tests("BlueprintTests", ["Blueprint", "Templates", "CastleTesting"], exclude: ["Fixtures"]),
    tests("TemplatesTests", ["Templates"]),
    tests("LinearRegexTests", ["LinearRegex"]),
    tests("WebACLTests", ["Digests", "WebACL"]),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "AWSWire", "ByteRegex", "CLinux", "COpenSSL", "GateCore", "GateProtocol", "GateTokens", "HTTPWire",
        "LinearRegex", "WebACL",
      ],
      path: "Tests/FuzzTargets", swiftSettings: house),
    tests("FuzzingTests", ["FuzzTargets"], exclude: ["Corpus"]),
    tests(
      "GateTests",
      [
        "AWSCore", "GateCore", "GateProtocol", "GateTokens", "Fetch", "HTTPWire", "ByteRegex", "TrafficBaseline",
        "WebACL", "COpenSSL", crypto, cryptoExtras, nioCore, nioPosix,
      ], exclude: ["Corpus"]),
    tests("SupervisorTests", ["Supervisor", "CLinux"]),
    tests("StoreTests", ["Store", grdb]),
    tests(
      "EngineTests",
      [
        "PostgresEngine", "RedisEngine", "Tasks", "ObjectStore", "LogStore", "HealthProbe", "Disk", "Supervisor",
        "Certificates", grdb, nioCore, nioPosix, nioSSL,
      ]),
    tests(
      "ServiceTests",
      ["CastleTesting", "CastleServer", "Certificates", "GateProtocol", "MetricsKit", "WebACL", crypto, cryptoExtras]
        + services.map { .byName(name: $0.name) }
        + models.map { .byName(name: "\($0)Model") }),
    tests("StorefrontTests", ["StorefrontKit", "storefront-frontend", "storefront-backend", httpTypes, nioCore]),
    tests("EndToEndTests", ["CastleTesting"], exclude: ["Browser", "Scripts"]),
  ] + models.map(model) + services + fuzzing
)
