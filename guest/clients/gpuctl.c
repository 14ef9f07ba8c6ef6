// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl: test client of the panthor driver.
 *
 *   gpuctl info | query
 *   gpuctl groups N        one VM, N groups; "READY groups=…", held until stdin closes
 *   gpuctl job             one job stores a value; checked through a CPU mapping
 *   gpuctl churn N         N groups one after the other, each runs a job; then READY, held
 *   gpuctl rotate          many groups count in registers and must be swapped meanwhile
 *   gpuctl mesh            groups whose queues wait for one another, in an order by seed
 *   gpuctl region          one job with protected regions; hold=1: until stdin closes
 *   gpuctl unmap           a job before and one behind a hole in its buffer's mapping
 *   gpuctl sizes           the query of protected mode with buffers of all sizes
 *   gpuctl regroup         groups that come and go, without a job, until stdin closes
 *   gpuctl submit-bench N  N jobs, timed
 *   gpuctl protm-init      give the FW memory of a heap for protected mode
 *   gpuctl protm-misuse    everything that is wrong with a buffer for it, one by one
 *
 * Options (name=value or --name value): see usage(). Output: key=value words;
 * the last line is "RESULT ok", or "RESULT fail step=… why=…" with an errno's
 * name. Exit status 0 only with ok.
 */
#include "gpuctl.h"

static const char usage_text[] =
	"usage: gpuctl info|query|groups N|job|churn N|rotate|mesh|region|sizes|submit-bench N|\n"
	"       regroup|unmap|protm-init|protm-misuse [options]\n"
	"  queues=1 ring=65536 priority=1 flags=N   of each group; by default protected if the "
	"driver "
	"can\n"
	"  compute=MASK fragment=MASK max-compute=N  cores of each group; all by default\n"
	"  timeout=60000                            ms for all jobs together\n"
	"  value=0xcafe0001 queue=0                 job: what is stored, by which queue\n"
	"  heap=NAME                                job: into a buffer of this dma-heap (not read "
	"back)\n"
	"  words=1                                  job: how many values, up to 64\n"
	"  trusted=1                                job: a trusted application reads it back\n"
	"  protect=1                                job: store in a protected region\n"
	"  run=OPCODE tiler=1                       job: a RUN_* before it, with a tiler heap\n"
	"  regions=1 hold=1 bad=1 tail=N            region: how many, what they do, loops behind\n"
	"  heap=NAME sparse=1                       unmap: of a buffer of this dma-heap, of "
	"none\n"
	"  heap=NAME size=N                         protm-init, protm-misuse: whose memory, how "
	"much\n"
	"  groups=12 jobs=2 inner=1000 outer=100    rotate: each job adds inner*outer times\n"
	"  shared-vm=1                              rotate: one VM for all, not one each\n"
	"  groups=12 queues=1 jobs=2 inner=1000 seed=0 hold=1   mesh: hold=1 waits for a line a "
	"round\n";

static _Noreturn void usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

void need(int failed)
{
	if (failed)
		result_fail(gpu_step, errno_name(errno));
}

/* What the driver says about protected mode; false: it does not know the query. */
static bool protected_features(struct gpu *gpu, uint32_t *features)
{
	struct drm_panthor_protm_info other;

	*features = 0;
	return !gpu_protm_info(gpu, &other) &&
	       !gpu_query(gpu, DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO, features, sizeof(*features));
}

static bool has_protected_groups(struct gpu *gpu)
{
	uint32_t features;

	return protected_features(gpu, &features) &&
	       (features & DRM_PANTHOR_PROTECTED_FEATURE_BASIC);
}

static uint32_t group_flags(struct gpu *gpu, uint32_t flags)
{
	if (flags != FLAGS_AUTO)
		return flags;
	return has_protected_groups(gpu) ? DRM_PANTHOR_GROUP_CREATE_PROTECTED : 0;
}

/* In trees with PROTM_INIT: where whoever gave the FW its memory says groups may take theirs. */
static const char *suspend_heap(struct gpu *gpu, uint32_t flags)
{
	static char name[128];
	struct drm_panthor_protm_info info;
	FILE *file;

	if (flags != FLAGS_AUTO || !gpu_protm_info(gpu, &info) ||
	    info.state != DRM_PANTHOR_PROTM_READY)
		return NULL;
	file = fopen(SUSPEND_HEAP_FILE, "r");
	if (!file || !fgets(name, sizeof(name), file))
		result_errno("suspend_heap");
	fclose(file);
	name[strcspn(name, "\n")] = 0;
	return name;
}

void group_options(struct gpu *gpu, const struct options *o, struct gpu_group_options *g)
{
	*g = (struct gpu_group_options){
		.queues = (unsigned int)o->queues,
		.priority = (unsigned int)o->priority,
		.ring_size = (uint32_t)o->ring,
		.flags = group_flags(gpu, (uint32_t)o->flags),
		.compute = o->compute,
		.fragment = o->fragment,
		.max_compute = (unsigned int)o->max_compute,
		.suspend_heap = suspend_heap(gpu, (uint32_t)o->flags),
	};
}

bool print_group_state(struct gpu *gpu, uint32_t group)
{
	uint32_t state, fatal;

	need(gpu_group_state(gpu, group, &state, &fatal));
	printf("state=%#x fatal=%#x", state, fatal);
	return !state && !fatal;
}

static void print_gpu_info(const struct gpu *gpu)
{
	const struct drm_panthor_gpu_info *i = &gpu->info;

	printf("driver=panthor version=%d.%d.%d\n", gpu->version.version_major,
	       gpu->version.version_minor, gpu->version.version_patchlevel);
	printf("gpu_id=%#x gpu_rev=%#x arch=%u.%u.%u product=%u\n", i->gpu_id, i->gpu_rev,
	       i->gpu_id >> 28, i->gpu_id >> 24 & 0xf, i->gpu_id >> 20 & 0xf,
	       i->gpu_id >> 16 & 0xf);
	printf("shader_present=%#llx l2_present=%#llx tiler_present=%#llx as_present=%#x\n",
	       (unsigned long long)i->shader_present, (unsigned long long)i->l2_present,
	       (unsigned long long)i->tiler_present, i->as_present);
	printf("csf_id=%#x l2_features=%#x tiler_features=%#x mem_features=%#x mmu_features=%#x\n",
	       i->csf_id, i->l2_features, i->tiler_features, i->mem_features, i->mmu_features);
	printf("thread_features=%#x max_threads=%u core_features=%#x gpu_features=%#llx\n",
	       i->thread_features, i->max_threads, i->core_features,
	       (unsigned long long)i->gpu_features);
	printf("coherency_features=%#x selected_coherency=%u\n", i->coherency_features,
	       i->selected_coherency);
}

static _Noreturn void cmd_info(void)
{
	struct gpu gpu;

	need(gpu_find(&gpu));
	print_gpu_info(&gpu);
	result_ok();
}

static _Noreturn void cmd_query(void)
{
	struct drm_panthor_group_priorities_info priorities = { 0 };
	struct drm_panthor_timestamp_info stamp = { 0 };
	struct drm_panthor_protm_info protm;
	uint32_t features;
	struct gpu gpu;

	need(gpu_open(&gpu));
	print_gpu_info(&gpu);
	if (protected_features(&gpu, &features))
		printf("protected_features=%#x\n", features);
	if (gpu_protm_info(&gpu, &protm))
		print_protm_info(&protm);
	printf("csg_slots=%u cs_slots=%u cs_regs=%u scoreboards=%u unpreserved_regs=%u\n",
	       gpu.csif.csg_slot_count, gpu.csif.cs_slot_count, gpu.csif.cs_reg_count,
	       gpu.csif.scoreboard_slot_count, gpu.csif.unpreserved_cs_reg_count);
	need(gpu_query(&gpu, DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, &priorities,
		       sizeof(priorities)));
	printf("priorities=%#x\n", priorities.allowed_mask);
	need(gpu_query(&gpu, DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, &stamp, sizeof(stamp)));
	printf("timestamp_hz=%llu timestamp=%llu timestamp_offset=%llu\n",
	       (unsigned long long)stamp.timestamp_frequency,
	       (unsigned long long)stamp.current_timestamp,
	       (unsigned long long)stamp.timestamp_offset);
	result_ok();
}

static _Noreturn void cmd_groups(const struct options *o)
{
	struct gpu_group_options options;
	const char *why = "0";
	struct gpu gpu;
	uint32_t vm, *groups = calloc(o->count + 1, sizeof(*groups));
	uint64_t made;

	if (!groups)
		result_errno("calloc");
	need(gpu_open(&gpu));
	group_options(&gpu, o, &options);
	need(gpu_vm_create(&gpu, &vm));
	for (made = 0; made < o->count; made++)
		if (gpu_group_create(&gpu, vm, &options, &groups[made])) {
			why = errno_name(errno);
			break;
		}
	printf("READY groups=%llu errno=%s\n", (unsigned long long)made, why);
	hold_until_eof();
	for (uint64_t i = 0; i < made; i++)
		need(gpu_group_destroy(&gpu, groups[i]));
	need(gpu_vm_destroy(&gpu, vm));
	if (made < o->count)
		result_fail("group_create", why);
	result_ok();
}

static bool set_number(struct options *o, const char *name, const char *text)
{
	const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{ "groups", &o->groups },	{ "jobs", &o->jobs },
		{ "inner", &o->inner },		{ "outer", &o->outer },
		{ "queues", &o->queues },	{ "priority", &o->priority },
		{ "flags", &o->flags },		{ "ring", &o->ring },
		{ "timeout", &o->timeout_ms },	{ "value", &o->value },
		{ "queue", &o->queue },		{ "protect", &o->protect },
		{ "shared-vm", &o->shared_vm }, { "trusted", &o->trusted },
		{ "words", &o->words },		{ "regions", &o->regions },
		{ "hold", &o->hold },		{ "bad", &o->bad },
		{ "tail", &o->tail },		{ "run", &o->run },
		{ "tiler", &o->tiler },		{ "seed", &o->seed },
		{ "size", &o->size },		{ "compute", &o->compute },
		{ "fragment", &o->fragment },	{ "max-compute", &o->max_compute },
		{ "sparse", &o->sparse },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(numbers[i].name, name))
			return parse_size(text, numbers[i].value);
	return false;
}

/* name=value, --name=value or --name value */
static void parse_options(struct options *o, char **args)
{
	for (; *args; args++) {
		char *name = *args + (strncmp(*args, "--", 2) ? 0 : 2);
		char *value = strchr(name, '=');

		if (value)
			*value++ = 0;
		else
			value = *++args;
		if (!value)
			usage();
		if (!strcmp(name, "heap"))
			o->heap = value;
		else if (!set_number(o, name, value))
			usage();
	}
}

int main(int argc, char **argv)
{
	struct options o = {
		.groups = 12,
		.jobs = 2,
		.inner = 1000,
		.outer = 100,
		.queues = 1,
		.priority = 1,
		.ring = 65536,
		.timeout_ms = 60000,
		.value = 0xcafe0001,
		.words = 1,
		.flags = FLAGS_AUTO,
		.regions = 1,
	};
	const char *command = argc > 1 ? argv[1] : "";
	const bool counted = !strcmp(command, "groups") || !strcmp(command, "churn") ||
			     !strcmp(command, "submit-bench");

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 + counted || (counted && !parse_size(argv[2], &o.count)))
		usage();
	parse_options(&o, argv + 2 + counted);
	if (!o.queues || o.queues > GPU_MAX_QUEUES || o.queue >= o.queues || !o.inner || !o.outer ||
	    o.inner > INT32_MAX || o.outer > INT32_MAX || o.count > 1000000 || o.groups > 100000)
		usage();
	if (!strcmp(command, "info"))
		cmd_info();
	if (!strcmp(command, "query"))
		cmd_query();
	if (!strcmp(command, "groups"))
		cmd_groups(&o);
	if (!strcmp(command, "job"))
		cmd_job(&o);
	if (!strcmp(command, "churn"))
		cmd_churn(&o);
	if (!strcmp(command, "submit-bench"))
		cmd_bench(&o);
	if (!strcmp(command, "rotate"))
		cmd_rotate(&o);
	if (!strcmp(command, "mesh"))
		cmd_mesh(&o);
	if (!strcmp(command, "region"))
		cmd_region(&o);
	if (!strcmp(command, "protm-init"))
		cmd_protm_init(&o);
	if (!strcmp(command, "protm-misuse"))
		cmd_protm_misuse(&o);
	if (!strcmp(command, "sizes"))
		cmd_sizes();
	if (!strcmp(command, "regroup"))
		cmd_regroup(&o);
	if (!strcmp(command, "unmap"))
		cmd_unmap(&o);
	usage();
}
