// Hive Gateway, forwarding the client's Authorization header.
import { defineConfig } from "@graphql-hive/gateway";

export const propagateHeaders = {
  fromClientToSubgraphs({ request }) {
    const authorization = request.headers.get("authorization");
    return authorization ? { authorization } : {};
  },
};
export const gatewayConfig = defineConfig({ propagateHeaders });
