// Hive Gateway with the query planner of Hive Router (Rust).
import { defineConfig } from "@graphql-hive/gateway";
import { unifiedGraphHandler } from "@graphql-hive/router-runtime";
import { propagateHeaders } from "./gateway.config.mjs";

export const gatewayConfig = defineConfig({ propagateHeaders, unifiedGraphHandler });
