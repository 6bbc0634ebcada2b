using Forebay.Robustness.Nodes;

namespace Forebay.Robustness.Mounts;

/// <summary>
/// The executable as an ordinary user, through <c>fusermount3</c>. All of it happens in a mount namespace of its own, whose <c>/dev/fuse</c> is
/// open to everybody as udev makes it, so that the test asks nothing of the machine.
/// </summary>
public sealed class OrdinaryUserTests
{
    /// <summary>Makes the namespace; <c>as_user</c> runs a command as nobody.</summary>
    private const string Preamble = """
        set -eu
        mount --make-rprivate /
        mknod -m 666 fuse c 10 229
        chmod 666 fuse
        mount --bind fuse /dev/fuse
        mkdir -p source mnt cache run bin
        cp "$EXECUTABLE" bin/
        echo whole > source/file
        chown nobody mnt cache run
        chmod -R a+rX .
        as_user() { setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$PWD" FOREBAY_RUNTIME_DIR="$PWD/run" "$@"; }
        finish() { umount -l mnt 2>/dev/null || true; pkill -9 -f "mount-(holder|worker).*$PWD" || true; }
        trap finish EXIT
        """;

    [MountFact]
    public async Task AnOrdinaryUserMountsReadsLosesTheWorkerAndUnmounts()
    {
        Finished run = await RunAsync("""
            as_user bin/forebay mount "file://$PWD/source" mnt --cache "$PWD/cache:64Mi"
            as_user cat mnt/file
            cat mnt/file 2>/dev/null && echo "root sees it"
            as_user bin/forebay mount --list --output json
            worker=$(as_user bin/forebay mount --list --output json | sed 's/.*"workerPid":\([0-9]*\).*/\1/')
            kill -9 "$worker"
            as_user cat mnt/file
            as_user bin/forebay unmount mnt
            grep -c "$PWD/mnt" /proc/self/mountinfo || true
            """);

        Assert.True(run.Code == 0, run.Text);
        string[] lines = run.Output.TrimEnd().Split('\n');
        Assert.Equal(["whole", "whole", "0"], lines.Where(line => !line.StartsWith('[')));
        Assert.Contains("\"passthrough\":false", run.Output, StringComparison.Ordinal);
    }

    [MountFact]
    public async Task AllowOtherIsRefusedWithTheLineThatAllowsIt()
    {
        Finished run = await RunAsync("""
            echo > fuse.conf
            mount --bind fuse.conf /etc/fuse.conf
            code=0
            as_user bin/forebay mount "file://$PWD/source" mnt -o allow_other --cache "$PWD/cache:64Mi" || code=$?
            echo "code $code"
            grep -c "$PWD/mnt" /proc/self/mountinfo || true
            """);

        Assert.True(run.Code == 0, run.Text);
        Assert.Contains("user_allow_other", run.Error, StringComparison.Ordinal);
        Assert.Contains("code 3\n0\n", run.Output, StringComparison.Ordinal);
    }

    private static async Task<Finished> RunAsync(string script)
    {
        using MountedDirectory place = new();
        place.Environment["EXECUTABLE"] = Executable.FilePath;
        Directory.CreateDirectory(place["user"]);

        // The test's own directory is private to its user; nobody must get through it.
        File.SetUnixFileMode(place["."], (UnixFileMode)0b111_101_101);
        return await place.ShellAsync($"cd {place["user"]} && exec unshare -m bash -c '{Preamble}\n{script.Replace("'", "'\\''", StringComparison.Ordinal)}'");
    }
}
