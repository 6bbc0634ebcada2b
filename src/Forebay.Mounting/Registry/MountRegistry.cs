using System.Text;
using System.Text.Json;
using Forebay.Core;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Registry;

/// <summary>The mounts of one user: a file for each in the runtime directory, beside its sockets and its log. What a killed mount left behind is cleaned when it is met.</summary>
public sealed class MountRegistry
{
    private const int MaxEntryBytes = 64 << 10;

    /// <summary>Opens the registry; the directory is made when it is first needed.</summary>
    /// <param name="directory">Absolute.</param>
    public MountRegistry(string directory) => Directory = directory;

    /// <summary>The runtime directory.</summary>
    public string Directory { get; }

    /// <summary>The runtime directory of who runs this: <c>FOREBAY_RUNTIME_DIR</c>; <c>/run/forebay</c> for root; else below <c>XDG_RUNTIME_DIR</c>, else below <c>/tmp</c>.</summary>
    public static string DirectoryOf(Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        if (environment("FOREBAY_RUNTIME_DIR") is { Length: > 0 } given && Path.IsPathRooted(given))
        {
            return given;
        }

        uint user = Native.EffectiveUser();
        return user == 0 ? "/run/forebay"
            : environment("XDG_RUNTIME_DIR") is { Length: > 0 } runtime && Path.IsPathRooted(runtime) ? Path.Combine(runtime, "forebay")
            : $"/tmp/forebay-{user}";
    }

    /// <summary>Makes the runtime directory for its owner only.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.AccessDenied"/>: it cannot be made, or belongs to somebody else.</exception>
    public void EnsureDirectory()
    {
        try
        {
            const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            System.IO.Directory.CreateDirectory(Directory, OwnerOnly);

            // Somebody else's directory refuses this; it must not hold our sockets.
            File.SetUnixFileMode(Directory, OwnerOnly);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ForebayException(ErrorKind.AccessDenied, $"The runtime directory {Directory} cannot be used: {e.Message} Set FOREBAY_RUNTIME_DIR to a directory of your own.", e);
        }
    }

    /// <summary>Names the files of a mount: the last part of its directory, and a hash of all of it.</summary>
    public static string IdOf(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);

        // FNV-1a: no secret is in it, and it must not wait for a cryptography library to load.
        ulong hash = 14695981039346656037;
        foreach (byte b in Encoding.UTF8.GetBytes(directory))
        {
            hash = (hash ^ b) * 1099511628211;
        }

        string name = Path.GetFileName(directory);
        return string.Concat(name.Where(char.IsAsciiLetterOrDigit).Take(24).Append('-')) + hash.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>A file of a mount.</summary>
    /// <param name="id">From <see cref="IdOf"/>.</param>
    /// <param name="what"><c>mount</c>, <c>lock</c>, <c>holder</c>, <c>control</c>, <c>access</c>, <c>access.log</c> or <c>log</c>.</param>
    public string FileOf(string id, string what) => Path.Combine(Directory, $"{id}.{what}");

    /// <summary>Takes the lock that one holder of a directory has for its life.</summary>
    /// <returns>Null when another one has it.</returns>
    internal SafeFileHandle? TryLock(string id)
    {
        SafeFileHandle handle = new(Native.Open(FileOf(id, "lock"), Native.OpenFlagsForLock | OpenFlags.NoFollow, 0x180 /* 0600 */), ownsHandle: true);
        if (handle.IsInvalid)
        {
            throw SystemError.Last($"no lock can be made in {Directory}");
        }

        if (Native.FileLock(handle, Native.LockExclusive | Native.LockNonBlocking) == 0)
        {
            return handle;
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Writes or replaces an entry.</summary>
    public void Put(RegisteredMount mount)
    {
        ArgumentNullException.ThrowIfNull(mount);
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes))
        {
            json.WriteStartObject();
            json.WriteString("source", mount.Source);
            json.WriteString("directory", mount.Directory);
            json.WriteNumber("holderPid", mount.HolderPid);
            json.WriteNumber("workerPid", mount.WorkerPid);
            json.WriteBoolean("passthrough", mount.Passthrough);
            json.WriteString("name", mount.Name);
            json.WriteString("workerVersion", mount.WorkerVersion);
            json.WriteNumber("workerRespawns", mount.WorkerRespawns);
            json.WriteNumber("holderRespawns", mount.HolderRespawns);
            json.WriteEndObject();
        }

        string file = FileOf(mount.Id, "mount");
        string partial = FileOf(mount.Id, "new");
        File.WriteAllBytes(partial, bytes.ToArray());
        File.Move(partial, file, overwrite: true);
    }

    /// <summary>Removes the files of a mount, but for its logs and its lock.</summary>
    public void Remove(string id)
    {
        foreach (string what in (ReadOnlySpan<string>)["mount", "new", "holder", "control", "control.new", "access", "access.new"])
        {
            File.Delete(FileOf(id, what));
        }
    }

    /// <summary>All mounts that live; entries of dead ones are removed.</summary>
    public IReadOnlyList<RegisteredMount> List()
    {
        if (!System.IO.Directory.Exists(Directory))
        {
            return [];
        }

        List<RegisteredMount> mounts = [];
        foreach (string file in System.IO.Directory.GetFiles(Directory, "*.mount").Order(StringComparer.Ordinal))
        {
            string id = Path.GetFileNameWithoutExtension(file);
            if (TryRead(file, id) is { } mount && (IsForebay(mount.HolderPid) || IsForebay(mount.WorkerPid)))
            {
                mounts.Add(mount);
                continue;
            }

            // Its holder has the lock as long as it lives, so that an entry just being made is not taken for a dead one.
            using SafeFileHandle? dead = TryLock(id);
            if (dead is not null)
            {
                Remove(id);
            }
        }

        return mounts;
    }

    /// <summary>An entry as it was last written, whoever lives; null when there is none.</summary>
    internal RegisteredMount? Last(string id) => TryRead(FileOf(id, "mount"), id);

    /// <summary>The mount on exactly this directory; null when there is none.</summary>
    public RegisteredMount? Find(string directory)
        => List().FirstOrDefault(mount => string.Equals(mount.Directory, directory, StringComparison.Ordinal));

    /// <summary>The mount that a path lies in or is, and the rest of the path behind it; null when there is none.</summary>
    /// <param name="path">Absolute. Only its text is looked at: a mount must not be asked where it lies.</param>
    public (RegisteredMount Mount, string Below)? FindAround(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        RegisteredMount? found = List()
            .Where(mount => path.StartsWith(mount.Directory, StringComparison.Ordinal) && (path.Length == mount.Directory.Length || path[mount.Directory.Length] == '/'))
            .MaxBy(mount => mount.Directory.Length);
        return found is null ? null : (found, path[found.Directory.Length..].TrimStart('/'));
    }

    private RegisteredMount? TryRead(string file, string id)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(file);
            if (bytes.Length > MaxEntryBytes)
            {
                return null;
            }

            using JsonDocument json = JsonDocument.Parse(bytes);
            JsonElement root = json.RootElement;
            return new RegisteredMount(
                root.GetProperty("source").GetString()!, root.GetProperty("directory").GetString()!, root.GetProperty("holderPid").GetInt32(),
                root.GetProperty("workerPid").GetInt32(), root.GetProperty("passthrough").GetBoolean())
            {
                Id = id,
                Name = root.GetProperty("name").GetString()!,
                WorkerVersion = root.GetProperty("workerVersion").GetString()!,

                // A holder that an upgrade left in place may be older than these.
                WorkerRespawns = root.TryGetProperty("workerRespawns", out JsonElement workers) ? workers.GetInt32() : 0,
                HolderRespawns = root.TryGetProperty("holderRespawns", out JsonElement holders) ? holders.GetInt32() : 0,
                HolderSocket = FileOf(id, "holder"),
                ControlSocket = FileOf(id, "control"),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A process of that number lives, and its first argument says that it is one of ours: a number comes to mean another process after a restart.</summary>
    private static bool IsForebay(int process)
    {
        if (process <= 0)
        {
            return false;
        }

        try
        {
            string[] arguments = File.ReadAllText($"/proc/{process}/cmdline").Split('\0');
            return arguments.Contains(MountProcesses.HolderVerb, StringComparer.Ordinal) || arguments.Contains(MountProcesses.WorkerVerb, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
