using System.Text;

namespace Forebay.LoadGen.Client;

/// <summary>Writes a wrk script that sends prepared requests in turn, so that the client spends nothing on signing while the server verifies each.</summary>
internal static class SignCommand
{
    public static int Run(Arguments arguments)
    {
        Target target = new(arguments);
        string path = arguments.Required("out");
        arguments.RefuseUnused();

        StringBuilder script = new("local requests = {\n");
        for (long i = 0; i < target.Count; i++)
        {
            script.Append('"').Append(Encoding.ASCII.GetString(target.Get(target.KeyAt(i), target.Range)).Replace("\r\n", "\\r\\n", StringComparison.Ordinal)).Append("\",\n");
        }

        script.Append("""
            }
            local at = 0
            function init(args) math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000); at = math.random(#requests) end
            function request() at = at % #requests + 1; return requests[at] end
            function done(summary, latency, requests)
              local e = summary.errors
              io.write(string.format('JSON {"requests":%d,"bytes":%d,"microseconds":%d,"p50":%d,"p99":%d,"p999":%d,"errors":%d,"badStatus":%d}\n',
                summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
                e.connect + e.read + e.write + e.timeout, e.status))
            end

            """);
        File.WriteAllText(path, script.ToString());
        return 0;
    }
}
