using System.Security.Cryptography;
using System.Text.Json;
using Forebay.Admin.Api;
using Forebay.Admin.Client;

namespace Forebay.Cli.Verbs;

/// <summary><c>cat</c> and <c>cp</c> out of the namespace.</summary>
/// <remarks>A file appears under its name only when it is whole; what was interrupted leaves nothing behind.</remarks>
internal static class CopyVerbs
{
    private const int Parallelism = 8;

    public static async Task<int> CatAsync(VerbSession session, IReadOnlyList<string> paths, Stream destination, CancellationToken cancellationToken)
    {
        int code = await session.ForEachAsync(paths, path => session.Client.CopyObjectAsync(path, destination, cancellationToken));
        await destination.FlushAsync(cancellationToken);
        return code;
    }

    public static async Task<int> CopyAsync(
        VerbSession session, string source, string destination, bool recursive, CancellationToken cancellationToken)
    {
        CopySummary summary;
        if (recursive)
        {
            summary = await CopyTreeAsync(session, source, destination, cancellationToken);
        }
        else if (source.EndsWith('/'))
        {
            throw new AdminClientException("invalidArgument", $"'{HumanText.Safe(source)}' names a prefix; copy everything below it with 'forebay cp -r PATH DIRECTORY'.", requestId: null);
        }
        else
        {
            string file = Directory.Exists(destination) || Path.EndsInDirectorySeparator(destination)
                ? Path.Combine(destination, SafeName(source[(source.LastIndexOf('/') + 1)..], source))
                : destination;
            long bytes = await CopyFileAsync(session.Client, source, file, cancellationToken);
            summary = new CopySummary(source, file, Files: 1, bytes, Failed: 0);
        }

        await session.Output.WriteLineAsync(session.Json
            ? JsonSerializer.Serialize(summary, VerbJson.Default.CopySummary)
            : $"copied {HumanText.Count(summary.Files, "file")}, {HumanText.Bytes(summary.Bytes)}, to {summary.Destination}");
        return summary.Failed == 0 ? ExitCode.Success : summary.Files > 0 ? ExitCode.Partial : ExitCode.Failure;
    }

    private static async Task<CopySummary> CopyTreeAsync(VerbSession session, string source, string destination, CancellationToken cancellationToken)
    {
        string tree = source.EndsWith('/') ? source : source + "/";
        long files = 0;
        long bytes = 0;
        long failed = 0;
        Directory.CreateDirectory(destination);
        var options = new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(session.Client.ListAsync(tree, recursive: true, cancellationToken), options, async (entry, token) =>
        {
            try
            {
                string file = Path.Combine([destination, .. RelativeSegments(entry, tree)]);
                if (entry.Path.EndsWith('/'))
                {
                    Directory.CreateDirectory(file);
                    return;
                }

                Interlocked.Add(ref bytes, await CopyFileAsync(session.Client, entry.Path, file, token));
                Interlocked.Increment(ref files);
            }
            catch (AdminClientException error) when (!error.IsUnreachable)
            {
                Interlocked.Increment(ref failed);
                lock (session)
                {
                    session.Report(error);
                }
            }
        });
        return new CopySummary(source, destination, files, bytes, failed);
    }

    private static async Task<long> CopyFileAsync(AdminClient client, string source, string file, CancellationToken cancellationToken)
    {
        string directory = Path.GetDirectoryName(Path.GetFullPath(file))!;
        Directory.CreateDirectory(directory);
        string partial = Path.Combine(directory, $".forebay-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.part");
        try
        {
            long bytes;
            await using (var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: false))
            {
                bytes = await client.CopyObjectAsync(source, stream, cancellationToken);
                if (stream.Length != bytes)
                {
                    throw new IOException($"'{partial}' has {stream.Length} bytes instead of {bytes}.");
                }

                // Else a crash could leave the name with an empty file behind it.
                stream.Flush(flushToDisk: true);
            }

            File.Move(partial, file, overwrite: true);
            return bytes;
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    private static string[] RelativeSegments(ListingEntry entry, string tree)
    {
        string[] segments = entry.Path[tree.Length..].Split('/');
        string[] kept = entry.Path.EndsWith('/') ? segments[..^1] : segments;
        return [.. kept.Select(segment => SafeName(segment, entry.Path))];
    }

    // Keys are the source's to choose: none may name a file outside the destination.
    private static string SafeName(string segment, string path)
        => segment is "" or "." or ".." || segment.Contains('\0', StringComparison.Ordinal)
            ? throw new AdminClientException(
                "invalidArgument", $"'{HumanText.Safe(path)}' cannot be a file name here; copy it alone with 'forebay cp PATH FILE'.", requestId: null)
            : segment;
}
