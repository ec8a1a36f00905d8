// DescribeDBEngineVersions, DescribeOrderableDBInstanceOptions, DescribeGlobalClusters.

import AWSCore
import AWSWire
import PostgresEngine
import RDSModel
import ServiceKit

extension RDSService {
  func describeEngineVersions(
    _ input: RDS.DescribeDBEngineVersionsMessage, _ call: CallContext
  ) async throws -> RDS.DBEngineVersionMessage {
    // Without a PostgreSQL on the machine there is nothing to be had.
    guard let installation = try? await PostgresInstallation.find() else { return .make { $0.dbEngineVersions = [] } }
    var versions = EngineVersions.offered(installed: EngineVersions.major(installation.version))
    if let engine = input.engine, engine != EngineVersions.engine { versions = [] }
    if let asked = input.engineVersion { versions = versions.filter { $0 == asked || $0.hasPrefix(asked + ".") } }
    if let family = input.dbParameterGroupFamily { versions = versions.filter { EngineVersions.family($0) == family } }
    if input.defaultOnly == true { versions = versions.suffix(1) }
    let chosen = try versions.filter { version in
      try Filters.pass(
        input.filters,
        [
          "engine": [EngineVersions.engine], "engine-version": [version], "status": ["available"],
          "db-parameter-group-family": [EngineVersions.family(version)], "engine-mode": ["provisioned"],
        ])
    }
    // By number, not by text: 15.10 comes after 15.9.
    let page = try Page(chosen, limit: input.maxRecords, marker: input.marker) { version in
      version.split(separator: ".").map { String(repeating: "0", count: max(0, 4 - $0.count)) + $0 }.joined(
        separator: ".")
    }
    return .make {
      $0.dbEngineVersions = page.items.map { Self.wire($0, all: versions, server: installation.version) }
      $0.marker = page.marker
    }
  }

  private static func wire(_ version: String, all: [String], server: String) -> RDS.DBEngineVersion {
    let major = EngineVersions.major(version) ?? 0
    let later = all.filter { EngineVersions.major($0) == major }.drop { $0 != version }.dropFirst()
    return .make {
      $0.engine = EngineVersions.engine
      $0.engineVersion = version
      $0.majorEngineVersion = String(major)
      $0.dbParameterGroupFamily = EngineVersions.family(version)
      $0.dbEngineDescription = "Aurora (PostgreSQL \(version) compatible edition), run by PostgreSQL \(server)"
      $0.dbEngineVersionDescription = "Aurora PostgreSQL (compatible with PostgreSQL \(version))"
      $0.status = "available"
      $0.supportedEngineModes = ["provisioned"]
      $0.supportedFeatureNames = []
      $0.exportableLogTypes = ["postgresql"]
      $0.supportsReadReplica = false
      $0.supportsGlobalDatabases = false
      $0.supportsParallelQuery = false
      $0.supportsLogExportsToCloudwatchLogs = true
      $0.supportedCACertificateIdentifiers = ["rds-ca-rsa2048-g1"]
      $0.serverlessV2FeaturesSupport = .make {
        $0.minCapacity = 0
        $0.maxCapacity = 256
      }
      $0.validUpgradeTarget = later.map { target in
        .make {
          $0.engine = EngineVersions.engine
          $0.engineVersion = target
          $0.description = "Aurora PostgreSQL (compatible with PostgreSQL \(target))"
          $0.autoUpgrade = false
          $0.isMajorVersionUpgrade = false
        }
      }
    }
  }

  func describeOrderableOptions(
    _ input: RDS.DescribeOrderableDBInstanceOptionsMessage, _ call: CallContext
  ) async throws -> RDS.OrderableDBInstanceOptionsMessage {
    guard input.engine == EngineVersions.engine, let installation = try? await PostgresInstallation.find() else {
      return .make { $0.orderableDBInstanceOptions = [] }
    }
    let versions = EngineVersions.offered(installed: EngineVersions.major(installation.version))
      .filter { input.engineVersion == nil || $0 == input.engineVersion }
    let classes = EngineVersions.classes.filter { input.dbInstanceClass == nil || $0 == input.dbInstanceClass }
    let options = versions.flatMap { version in classes.map { (version, $0) } }
    let page = try Page(options, limit: input.maxRecords, marker: input.marker) { "\($0.0)/\($0.1)" }
    let zones = ["a", "b", "c"].map { call.region + $0 }
    return .make {
      $0.orderableDBInstanceOptions = page.items.map { version, name in
        .make {
          $0.engine = EngineVersions.engine
          $0.engineVersion = version
          $0.dbInstanceClass = name
          $0.licenseModel = "postgresql-license"
          $0.availabilityZones = zones.map { zone in .make { $0.name = zone } }
          $0.multiAZCapable = false
          $0.readReplicaCapable = false
          $0.vpc = true
          $0.supportsStorageEncryption = true
          $0.storageType = "aurora"
          $0.supportsIops = false
          $0.supportsEnhancedMonitoring = true
          $0.supportsIAMDatabaseAuthentication = false
          $0.supportsPerformanceInsights = true
          $0.supportedEngineModes = ["provisioned"]
          $0.supportsGlobalDatabases = false
          $0.supportsClusters = true
          $0.supportedNetworkTypes = ["IPV4"]
          $0.outpostCapable = false
        }
      }
      $0.marker = page.marker
    }
  }

  func describeGlobalClusters(
    _ input: RDS.DescribeGlobalClustersMessage, _ call: CallContext
  ) async throws -> RDS.GlobalClustersMessage {
    if let id = input.globalClusterIdentifier {
      throw AWSError("GlobalClusterNotFoundFault", "Global cluster \(id) not found", status: 404)
    }
    return .make { $0.globalClusters = [] }
  }
}
