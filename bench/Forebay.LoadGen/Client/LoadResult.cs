using System.Diagnostics;
using System.Text.Json;

namespace Forebay.LoadGen.Client;

/// <summary>Figures of one worker, and their sum. Not thread-safe.</summary>
internal sealed class LoadResult
{
    public Histogram Latency { get; } = new();

    public Histogram FirstByte { get; } = new();

    public long Requests { get; set; }

    public long Bytes { get; set; }

    public long Errors { get; set; }

    public long WrongBytes { get; set; }

    public string? LastError { get; set; }

    public void Add(long startTicks, in Response response)
    {
        Requests++;
        Bytes += response.BodyBytes;
        FirstByte.Add(Milliseconds(response.FirstByteTicks - startTicks));
        Latency.Add(Milliseconds(response.EndTicks - startTicks));
    }

    public void Fail(string error)
    {
        Errors++;
        LastError = error;
    }

    public void Merge(LoadResult other)
    {
        Latency.Merge(other.Latency);
        FirstByte.Merge(other.FirstByte);
        Requests += other.Requests;
        Bytes += other.Bytes;
        Errors += other.Errors;
        WrongBytes += other.WrongBytes;
        LastError ??= other.LastError;
    }

    public int Print(TimeSpan elapsed, IEnumerable<KeyValuePair<string, double>>? more = null)
    {
        double seconds = elapsed.TotalSeconds;
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("requests", Requests);
            json.WriteNumber("bytes", Bytes);
            json.WriteNumber("errors", Errors);
            json.WriteNumber("wrongBytes", WrongBytes);
            json.WriteNumber("seconds", Math.Round(seconds, 6));
            json.WriteNumber("requestsPerSecond", Math.Round(Requests / seconds, 2));
            json.WriteNumber("bytesPerSecond", Math.Round(Bytes / seconds));
            json.WriteNumber("clientCpuSeconds", Math.Round(Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds, 3));
            Write(json, "latencyMs", Latency);
            Write(json, "firstByteMs", FirstByte);
            foreach ((string name, double value) in more ?? [])
            {
                json.WriteNumber(name, value);
            }

            if (LastError is not null)
            {
                json.WriteString("lastError", LastError);
            }

            json.WriteEndObject();
        }

        Console.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
        return Errors + WrongBytes == 0 ? 0 : 1;
    }

    private static double Milliseconds(long ticks) => ticks * 1000.0 / Stopwatch.Frequency;

    private static void Write(Utf8JsonWriter json, string name, Histogram histogram)
    {
        json.WriteStartObject(name);
        json.WriteNumber("p50", histogram.Percentile(0.5));
        json.WriteNumber("p99", histogram.Percentile(0.99));
        json.WriteNumber("p999", histogram.Percentile(0.999));
        json.WriteNumber("max", Math.Round(histogram.MaxMilliseconds, 4));
        json.WriteEndObject();
    }
}
