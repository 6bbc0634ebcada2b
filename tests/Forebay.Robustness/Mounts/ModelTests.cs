using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Xunit.Abstractions;

namespace Forebay.Robustness.Mounts;

/// <summary>Random operations of programs on a mount, compared one by one with a local copy, while workers and a holder are killed.</summary>
public sealed class ModelTests(ITestOutputHelper output)
{
    private static int Seconds => int.TryParse(Environment.GetEnvironmentVariable("FOREBAY_MODEL_SECONDS"), CultureInfo.InvariantCulture, out int seconds) ? seconds : 8;

    private static int Seed => int.TryParse(Environment.GetEnvironmentVariable("FOREBAY_MODEL_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : Environment.TickCount & 0xFFFFFF;

    [MountFact]
    public Task AMountAnswersAsALocalCopyDoes() => CompareAsync(killEach: null);

    [MountFact]
    public Task AMountAnswersAsALocalCopyDoesWhileItsProcessesAreKilled() => CompareAsync(killEach: TimeSpan.FromMilliseconds(300));

    private async Task CompareAsync(TimeSpan? killEach)
    {
        int seed = Seed;
        output.WriteLine($"seed {seed} (FOREBAY_MODEL_SEED)");
        using MountedDirectory mount = new();
        MakeTree(mount["source"], new Random(seed));
        await mount.MustMountAsync($"file://{mount["source"]}", "-o", "dbglevel=info");
        string script = Path.Combine(Repository.Root, "tests", "Forebay.Robustness", "Mounts", "model.py");
        Process[] programs = [.. Enumerable.Range(0, 2).Select(i => mount.Start("python3", script, mount.MountPoint, mount["source"], mount["stop"], $"{seed + i}"))];
        Task<string>[] said = [.. programs.Select(program => program.StandardOutput.ReadToEndAsync())];
        Task<string>[] errors = [.. programs.Select(program => program.StandardError.ReadToEndAsync())];
        long started = Stopwatch.GetTimestamp();
        int kills = 0;
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < Seconds && !said.Any(one => one.IsCompleted))
        {
            await Task.Delay(killEach ?? TimeSpan.FromMilliseconds(100));
            if (killEach is not null && mount.Peek() is { WorkerPid: > 0 } now)
            {
                // Each fifth time the holder, while the worker lives.
                kills += MountedDirectory.Kill(kills % 5 == 4 ? now.HolderPid : now.WorkerPid) ? 1 : 0;
            }
        }

        await File.WriteAllTextAsync(mount["stop"], "");
        for (int i = 0; i < programs.Length; i++)
        {
            string text = await said[i].WaitAsync(MountedDirectory.Patience) + await errors[i];
            output.WriteLine($"{text.Trim()} ({kills} kills)");
            using JsonDocument result = JsonDocument.Parse(text);
            Assert.True(result.RootElement.GetProperty("error").ValueKind == JsonValueKind.Null, $"seed {seed}: {text}\n{mount.Log}");
            Assert.True(result.RootElement.GetProperty("counts").EnumerateObject().Sum(count => count.Value.GetInt64()) > 100, $"too little was done: {text}");
            programs[i].Dispose();
        }

        Assert.True(killEach is null || kills > Seconds, $"only {kills} kills: the test has seen too little");
    }

    private static void MakeTree(string root, Random random)
    {
        string[] directories = ["", "a", "a/b", "a/b/c d", "many", "ümlaut", "empty"];
        foreach (string directory in directories)
        {
            Directory.CreateDirectory(Path.Combine(root, directory));
        }

        for (int i = 0; i < 700; i++)
        {
            Write($"many/file-{i:000}", random.Next(3000));
        }

        foreach (string directory in directories[..^1])
        {
            foreach (int size in (int[])[0, 1, 4095, 4096, 4097, 262_144, 300_001, 1 << 20, 3_000_000 + random.Next(3_000_000)])
            {
                Write(Path.Combine(directory, $"size {size}"), size);
            }
        }

        void Write(string path, int size)
        {
            byte[] bytes = new byte[size];
            random.NextBytes(bytes);
            File.WriteAllBytes(Path.Combine(root, path), bytes);
        }
    }
}
